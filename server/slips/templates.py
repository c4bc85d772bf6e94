"""Templates of slips: which there are, whether an office's own words are sound, and what they become. Pure.

A template is text with {{placeholders}} and nothing else: no conditions, no loops, no expressions. It is gone
through once, so what a citizen wrote is never looked at for placeholders, whatever it says.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

import msgspec

from server.declined import Declined, invalid, not_found
from sync_protocol.kinds import Title

TEXT_CHARS_MAX: Final = 8_000
VALUE_CHARS_MAX: Final = 20_000
ADDRESSEE: Final = "addressee"
VALUES: Final[Mapping[str, Title]] = {
    ADDRESSEE: Title("收件人", "Addressee"),
    "office": Title("本机关", "This office"),
    "number": Title("登记编号", "Registration number"),
    "title": Title("标题", "Title"),
    "category": Title("类别", "Category"),
    "village": Title("村（社区）", "Village"),
    "state": Title("状态", "State"),
    "received_on": Title("收到日期", "Received on"),
    "due_on": Title("办理期限", "Due on"),
    "lead": Title("主办单位", "Lead unit"),
    "claims": Title("诉求办理结果", "Results of the claims"),
    "today": Title("今天", "Today"),
}
"""What every slip may say; a sort adds what it asks for."""
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_BRACES: Final = re.compile(r"\{\{|\}\}")
# What no paper shows: controls (XML and fonts know none), and marks that turn the direction of what follows.
_UNSHOWN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that whoever makes a slip is asked for."""

    zh: str
    en: str
    rows: int = 1
    """Lines of its field on the screen."""
    required: bool = True


class Sort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sort of slip."""

    title: Title
    word: str
    """What its number begins with: 受告〔2026〕第12号."""
    text: str
    needs: tuple[str, ...] = ()
    asks: dict[str, Asked] = {}
    person: bool = True
    """Whether it is addressed to a party of the matter; else to a unit."""

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders that its templates may have."""
        return (*VALUES, *self.asks)


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Sort]:
    """The sorts of slip, by name, in the order in which a matter gives rise to them."""
    text = (files("server.slips") / "shipped.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["slips"], dict[str, Sort])


def sort_of(name: str) -> Sort:
    """A sort by name; declines one that there is not."""
    found = shipped().get(name)
    if found is None:
        raise not_found()
    return found


def check(sort: Sort, text: str) -> None:
    """Declines words that are no template of a sort: by line, with what is wrong and what may stand there."""
    if not text.strip() or len(text) > TEXT_CHARS_MAX:
        raise _unsound("文字不能为空，最多 8000 字", f"a text of 1 to {TEXT_CHARS_MAX} characters")
    for at, line in enumerate(text.splitlines(), 1):
        if _BRACES.search(_PLACEHOLDER.sub("", line)):
            raise _unsound(
                f"第 {at} 行：双花括号要成对，里面只写一个名字，如 {{{{title}}}}",
                f"line {at}: braces stand in pairs around one name, as in {{{{title}}}}",
            )
        for name in _PLACEHOLDER.findall(line):
            if name not in sort.names:
                allowed = ", ".join(sort.names)
                raise _unsound(
                    f"第 {at} 行：没有 {name} 这个名字，可用的有 {allowed}",
                    f"line {at}: there is no value {name}; there are {allowed}",
                )
    left_out = [name for name in sort.needs if name not in _PLACEHOLDER.findall(text)]
    if left_out:
        raise _unsound(f"这种文书必须写 {{{{{left_out[0]}}}}}", f"this slip has to say {{{{{left_out[0]}}}}}")


def _unsound(zh: str, en: str) -> Declined:
    return invalid("text", en, detail_zh=zh)


def filled(text: str, values: Mapping[str, str]) -> list[str]:
    """The paragraphs that a template becomes; a line of which nothing is left is left out."""
    said = _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)
    return [line.strip() for line in said.splitlines() if line.strip()]


def shown(value: str) -> str:
    """A value as paper can show it."""
    return _UNSHOWN.sub("", value.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n"))[
        :VALUE_CHARS_MAX
    ]
