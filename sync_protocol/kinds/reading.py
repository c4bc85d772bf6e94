"""Reads a declaration table by table and gathers every finding instead of stopping at the first.

A getter that finds something wrong notes it and returns a harmless value of the right type, so that the
checks behind it go on. The value is never used: one finding is enough to refuse the declaration.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sync_protocol.kinds.declaration import Title
from sync_protocol.kinds.findings import Finding, KindError
from sync_protocol.kinds.toml_lines import Path, lines

_TYPE_NAMES: Final = {
    str: Title("文字", "text"),
    bool: Title("true 或 false", "true or false"),
    int: Title("整数", "a whole number"),
    float: Title("数字", "a number"),
    list: Title("列表", "a list"),
    dict: Title("表", "a table"),
}
_SHOWN_CHARS: Final = 40
_NAMES_SHOWN: Final = 12
_LINE: Final = re.compile(r"at line (\d+)")


class Report:
    """The findings of one file, and where its keys stand."""

    def __init__(self, file: str, lines: Mapping[Path, int]) -> None:
        self.file = file
        self.lines = lines
        self.findings: list[Finding] = []

    def add(self, path: Path, problem: Title, write_instead: Title) -> None:
        """Notes one finding at `path`, or at the nearest table above it that the file has."""
        found = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        key = ".".join(str(part) for part in path)
        self.findings.append(Finding(self.file, found, key, problem, write_instead))

    def refuse(self) -> None:
        """Raises KindError with every finding, in the order of the file; does nothing when there is none."""
        if self.findings:
            raise KindError(tuple(sorted(self.findings, key=lambda finding: finding.line)))


def shown(value: object) -> str:
    """A value as a message quotes it, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def did_you_mean(name: str, known: Collection[str]) -> Title:
    """The nearest known name, else all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    names = near or sorted(known)
    listed = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    if near:
        return Title(f"是否应为 {listed}", f"Did you mean {listed}")
    return Title(f"可用的有：{listed}", f"Write one of: {listed}")


def read_document(toml_text: str, origin: str) -> "Reader":
    """The top table of a file called `origin`. Raises KindError when the text is not TOML."""
    try:
        table = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        why = str(error)
        match = _LINE.search(why)
        line = int(match.group(1)) if match else toml_text.count("\n") + 1
    except RecursionError:
        line, why = 1, "nested too deeply"
    else:
        return Reader(Report(origin, lines(toml_text)), table, ())
    problem = Title(f"不是有效的 TOML：{why}", f"this is not TOML: {why}")
    instead = Title("请按 TOML 格式改正", "Correct the syntax, see toml.io/en/v1.0.0")
    raise KindError((Finding(origin, line, "", problem, instead),))


class Reader:
    """One table of the declaration."""

    def __init__(self, report: Report, table: object, path: Path) -> None:
        self.report = report
        self.path = path
        self.table: dict[str, Any] = {}
        if isinstance(table, dict):
            self.table = table
        else:
            self._wrong_type(path, table, dict)

    def add(self, key: str, problem: Title, write_instead: Title) -> None:
        """Notes a finding at `key` of this table ("" for the table itself)."""
        self.report.add((*self.path, key) if key else self.path, problem, write_instead)

    def only(self, known: Collection[str]) -> None:
        """Refuses keys that are not `known`."""
        for key in self.table:
            if key not in known:
                problem = Title(f"没有 {shown(key)} 这一项", f"{shown(key)} is not a key here")
                self.add(key, problem, did_you_mean(key, known))

    def text(self, key: str, *, needed: bool = True, default: str = "") -> str:
        """A text that is not empty."""
        value = self._get(key, str, needed=needed)
        if value is None:
            return default
        if not value.strip():
            self.add(
                key,
                Title("为空", "is empty"),
                Title("请填写文字，或删去此项", "Write a text, or drop the key"),
            )
        return str(value)

    def flag(self, key: str) -> bool:
        """A yes or no; no when absent."""
        return bool(self._get(key, bool, needed=False))

    def integer(self, key: str, lowest: int, highest: int, *, needed: bool = False) -> int | None:
        """A whole number between `lowest` and `highest`."""
        value: int | None = self._get(key, int, needed=needed)
        if value is not None and not lowest <= value <= highest:
            self.add(
                key,
                Title(f"{shown(value)} 超出范围", f"{shown(value)} is out of range"),
                Title(f"请写 {lowest} 到 {highest}", f"Write {lowest} to {highest}"),
            )
            return None
        return value

    def number(self, key: str) -> int | float | None:
        """A number, whole or not."""
        value: int | float | None = self._get(key, float, needed=False)
        return value

    def one_of(self, key: str, allowed: Collection[str], *, needed: bool = True, default: str) -> str:
        """A text among `allowed`."""
        value = self._get(key, str, needed=needed)
        if value is None:
            return default
        if value not in allowed:
            self.add(key, _unknown(value), did_you_mean(value, allowed))
            return default
        return str(value)

    def names(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        """A list of texts without repetition; a needed one is not empty."""
        values = self._get(key, list, needed=needed)
        if values is None:
            return ()
        if needed and not values:
            self.add(key, Title("列表为空", "the list is empty"), Title("至少写一项", "Name at least one"))
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self._wrong_type((*self.path, key, index), value, str)
        names = tuple(value for value in values if isinstance(value, str))
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.add(
                key,
                Title(f"{shown(name)} 重复", f"{shown(name)} stands twice"),
                Title("删去一个", "Drop one"),
            )
        return names

    def title(self, key: str) -> Title:
        """{ zh = "...", en = "..." }, both needed."""
        if key not in self.table:
            self.add(
                key,
                Title("缺少标题", "the title is missing"),
                Title(f'请写 {key} = {{ zh = "…", en = "…" }}', f'Write {key} = {{ zh = "…", en = "…" }}'),
            )
            return Title("", "")
        reader = Reader(self.report, self.table[key], (*self.path, key))
        reader.only(("zh", "en"))
        if not isinstance(self.table[key], dict):
            return Title("", "")
        return Title(reader.text("zh"), reader.text("en"))

    def inside(self, key: str) -> "Reader":
        """The table `key`, which is needed."""
        table = self._get(key, dict, needed=True)
        return Reader(self.report, {} if table is None else table, (*self.path, key))

    def items(self, key: str) -> list["Reader"]:
        """The tables of the list `key`, which is needed."""
        values = self._get(key, list, needed=True)
        return [
            Reader(self.report, value, (*self.path, key, index)) for index, value in enumerate(values or ())
        ]

    def tables(self, key: str, *, needed: bool = False) -> Iterator[tuple[str, "Reader"]]:
        """The sub-tables of `key`, by name, in the order of the file."""
        value = self._get(key, dict, needed=needed)
        for name, table in (value or {}).items():
            yield name, Reader(self.report, table, (*self.path, key, name))

    def _get(self, key: str, wanted: type, *, needed: bool) -> Any:
        """The value of `key` when it has the wanted type, else None with a finding."""
        if key not in self.table:
            if needed:
                name = _TYPE_NAMES[wanted]
                self.add(
                    key,
                    Title("缺少此项", "the key is missing"),
                    Title(f"请写 {key} = {name.zh}", f"Write {key} = {name.en}"),
                )
            return None
        value = self.table[key]
        fits = isinstance(value, int | float) if wanted is float else isinstance(value, wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            self._wrong_type((*self.path, key), value, wanted)
            return None
        return value

    def _wrong_type(self, path: Path, value: object, wanted: type) -> None:
        """Notes that `value` is not what stands there."""
        name = _TYPE_NAMES[wanted]
        self.report.add(
            path,
            Title(f"{shown(value)} 不是{name.zh}", f"{shown(value)} is not {name.en}"),
            Title(f"请写{name.zh}", f"Write {name.en}"),
        )


def _unknown(value: str) -> Title:
    """The problem of a word that is not on the list."""
    return Title(f"{shown(value)} 不认识", f"{shown(value)} is not known")
