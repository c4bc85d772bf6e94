"""The office's old ledger as a workbook: which column is what, and what each line says. No database here.

Columns are known by the words of their headings, as offices write them. A line says words; which codes and
places they mean is found here too, so that every refusal names its line.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import IO, Any, Final

import msgspec
from openpyxl import load_workbook

from server.declined import invalid
from server.reckoning.spans import ZONE
from sync_protocol.kinds import Kind, Title

LINES_MAX: Final = 5_000
"""All of a file come in one transaction, which holds up the township's writers for some seconds."""
_OPENED_BYTES_MAX: Final = 64 * 2**20
_HEADING_LINES: Final = 5
"""Above the headings there is often a line or two with the name of the office."""
_COLUMNS_MAX: Final = 60
_CELL_CHARS_MAX: Final = 20_000
HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("编号", "原编号", "登记编号", "登记号", "信访编号", "案号", "number"),
    "title": ("标题", "事项名称", "事项", "主要诉求", "反映问题", "title"),
    "narrative": ("情况叙述", "内容", "反映内容", "基本情况", "问题描述", "主要内容", "narrative"),
    "village": ("村", "村（社区）", "村(社区)", "村居", "所属村", "村社区", "village"),
    "nature": ("性质", "事项性质", "nature"),
    "category": ("类别", "矛盾纠纷类别", "纠纷类别", "问题类别", "category"),
    "source": ("来源", "信访形式", "受理渠道", "source"),
    "urgency": ("紧急程度", "urgency"),
    "level": ("办理层级", "层级", "level"),
    "received": ("登记时间", "登记日期", "受理日期", "来访日期", "日期", "received"),
    "name": ("姓名", "申请人", "信访人", "反映人", "当事人", "name"),
    "contact": ("联系方式", "联系电话", "电话", "手机", "contact"),
    "state": ("状态", "办理状态", "办理情况", "是否办结", "办理结果", "state"),
    "answer": ("答复", "答复内容", "处理结果", "化解情况", "answer"),
}
_CLOSED: Final = frozenset({"已办结", "办结", "已化解", "化解", "已结案", "结案", "是", "完成", "closed"})
_NEEDED: Final = ("number", "title")
_CODED: Final = ("nature", "category", "source", "urgency", "level")
_DAYS: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")
_DISPUTE: Final = "dispute"
_NUMBER_CHARS_MAX: Final = 100


class OldMatter(msgspec.Struct, frozen=True):
    """What a line says, in the fields of the kind."""

    line: int
    number: str
    place: str
    fields: dict[str, Any]
    is_closed: bool
    answer: str | None


class Refused(msgspec.Struct, frozen=True):
    """A line that cannot be taken over, and why."""

    line: int
    reason: Title


class Sheet(msgspec.Struct, frozen=True):
    """What a workbook says."""

    columns: dict[str, str]
    """What is taken over, and the heading under which it stands."""
    ignored: list[str]
    """Headings that mean nothing here."""
    matters: list[OldMatter]
    refused: list[Refused]


def read(file: IO[bytes], kind: Kind, places: Mapping[str, str], township: str) -> Sheet:
    """What the first sheet says; `places` are villages by the names that people write.

    Declines what is no workbook, is too large, or has no heading for number and title.
    """
    lines = lines_of(file)
    at, columns = _headings(lines)
    reader = _Reader(kind, places, township)
    seen: dict[str, int] = {}
    for line, cells in lines[at + 1 :]:
        said = {name: text for name, nth in columns.items() if nth < len(cells) and (text := cells[nth])}
        if any(cells):
            reader.take(line, said, seen)
    heading = lines[at][1]
    taken = set(columns.values())
    ignored = [text for nth, text in enumerate(heading) if text and nth not in taken]
    known = {name: heading[nth] for name, nth in columns.items()}
    return Sheet(known, ignored, reader.matters, reader.refused)


def lines_of(file: IO[bytes]) -> list[tuple[int, list[str]]]:
    """The lines of the first sheet, numbered as the spreadsheet numbers them."""
    try:
        with zipfile.ZipFile(file) as packed:
            if sum(part.file_size for part in packed.infolist()) > _OPENED_BYTES_MAX:
                raise _too_large()
        file.seek(0)
        book = load_workbook(file, read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(max_col=_COLUMNS_MAX, values_only=True)
        return list(_numbered(rows))
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, SyntaxError, OSError, EOFError) as error:
        # What openpyxl raises for what is no workbook; SyntaxError is that of XML.
        raise invalid("file", "a workbook as Excel writes it (.xlsx)", "unreadable_file") from error


def _numbered(rows: Iterator[Sequence[Any]]) -> Iterator[tuple[int, list[str]]]:
    filled = 0
    for line, row in enumerate(rows, 1):
        cells = [_text(value) for value in row]
        if not any(cells):
            continue
        filled += 1
        if filled > LINES_MAX + _HEADING_LINES:
            raise _too_large()
        yield line, cells


def _too_large() -> Exception:
    return invalid("file", f"at most {LINES_MAX} lines in one file: divide it", "too_large")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else " ".join(str(value).split())[:_CELL_CHARS_MAX]


def _headings(lines: list[tuple[int, list[str]]]) -> tuple[int, dict[str, int]]:
    """Which of the first lines has the headings, and in which column each thing stands."""
    for at, (_, cells) in enumerate(lines[:_HEADING_LINES]):
        plain = [cell.replace(" ", "").lower() for cell in cells]
        found = {
            name: plain.index(word)
            for name, words in HEADINGS.items()
            for word in words[::-1]
            if word in plain
        }
        if all(name in found for name in _NEEDED):
            return at, found
    raise invalid(
        "file", "headings for the number (编号) and the title (标题) in the first lines", "missing_field"
    )


class _Reader:
    """Takes lines, one after the other."""

    def __init__(self, kind: Kind, places: Mapping[str, str], township: str) -> None:
        self._kind = kind
        self._places = places
        self._township = township
        self.matters: list[OldMatter] = []
        self.refused: list[Refused] = []

    def take(self, line: int, said: Mapping[str, str], seen: dict[str, int]) -> None:
        """Adds what a line says, or why it cannot be taken over."""
        reason = self._missing(said) or self._twice(line, said, seen) or self._unknown(said)
        if reason is not None:
            self.refused.append(Refused(line, reason))
            return
        fields = self._fields(said)
        place = self._places[said["village"]] if "village" in said else self._township
        is_closed = said.get("state", "") in _CLOSED
        self.matters.append(OldMatter(line, said["number"], place, fields, is_closed, said.get("answer")))

    def _missing(self, said: Mapping[str, str]) -> Title | None:
        if "number" not in said:
            return Title("没有编号", "there is no number")
        if len(said["number"]) > _NUMBER_CHARS_MAX:
            return Title(
                f"编号超过 {_NUMBER_CHARS_MAX} 字", f"the number has over {_NUMBER_CHARS_MAX} characters"
            )
        return None if "title" in said else Title("没有标题", "there is no title")

    def _twice(self, line: int, said: Mapping[str, str], seen: dict[str, int]) -> Title | None:
        before = seen.setdefault(said["number"], line)
        if before == line:
            return None
        return Title(f"编号与第 {before} 行相同", f"the number stands in line {before} too")

    def _unknown(self, said: Mapping[str, str]) -> Title | None:
        village = said.get("village")
        if village is not None and village not in self._places:
            return Title(f"没有这个村（社区）：{village}", f"there is no such village: {village}")
        for name in _CODED:
            if name in said and self._code(name, said[name]) is None:
                words = "、".join(choice.zh for choice in self._choices(name))
                title = f"{said[name]}：应为 {words}"
                return Title(title, f"{said[name]}: one of {words}")
        if "received" in said and _day(said["received"]) is None:
            return Title(f"日期看不懂：{said['received']}", f"no date: {said['received']}")
        return None

    def _fields(self, said: Mapping[str, str]) -> dict[str, Any]:
        codes = {name: self._code(name, said[name]) for name in _CODED if name in said}
        fields: dict[str, Any] = {"nature": _DISPUTE, "title": said["title"], **codes}
        if "narrative" in said:
            fields["narrative"] = said["narrative"]
        day = _day(said.get("received", ""))
        if day is not None:
            fields["first_contact_at"] = datetime(day.year, day.month, day.day, tzinfo=ZONE).isoformat()
        party = {name: said[name] for name in ("name", "contact") if name in said}
        if party:
            fields["parties"] = [{"role": "applicant", **party}]
        return fields

    def _choices(self, name: str) -> Sequence[Any]:
        field = self._kind.field(name)
        return field.choices if field is not None else ()

    def _code(self, name: str, word: str) -> str | None:
        for choice in self._choices(name):
            if word in {choice.code, choice.zh, choice.en}:
                return str(choice.code)
        return None


def _day(text: str) -> date | None:
    for form in _DAYS:
        try:
            day = datetime.strptime(text.split(" ", maxsplit=1)[0], form).replace(tzinfo=ZONE).date()
        except ValueError:
            continue
        return day if date(1950, 1, 1) <= day <= date(2100, 1, 1) else None
    return None
