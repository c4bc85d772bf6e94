"""A list of people as a workbook: headings in Chinese or English, refusals by line. No database here."""

from collections.abc import Mapping
from typing import IO, Final

import msgspec

from server.declined import invalid
from server.intake.sheets import lines_of
from server.staff.roles import TITLES, role_of
from server.staff.service import NAME_CHARS_MAX, Candidate
from sync_protocol.kinds import Title

HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("姓名", "名字", "name"),
    "role": ("角色", "岗位", "职务", "role"),
    "village": ("村", "村（社区）", "村(社区)", "village"),
    "unit": ("单位", "部门", "unit"),
}
_NEEDED: Final = ("name", "role")
_HEADING_LINES: Final = 5
_VILLAGE_ROLE, _UNIT_ROLE = "village_officer", "unit_handler"


class Wanted(msgspec.Struct, frozen=True):
    """Somebody of a list, with how far their work reaches."""

    candidate: Candidate
    village: str | None = None
    unit: str | None = None


class LineRefused(msgspec.Struct, frozen=True):
    """A line that was left out, and why."""

    line: int
    reason: Title


class People(msgspec.Struct, frozen=True):
    """What a workbook says."""

    wanted: list[Wanted]
    refused: list[LineRefused]


def read(file: IO[bytes], township: str, villages: Mapping[str, str], taken: frozenset[str]) -> People:
    """The people of the first sheet; `villages` are codes by name, `taken` the names that are there already.

    Declines what is no workbook, and one without headings for name and role.
    """
    rows = lines_of(file)
    at, columns = _headings(rows)
    people, seen = People([], []), set(taken)
    for line, cells in rows[at + 1 :]:
        said = {name: cells[nth] for name, nth in columns.items() if nth < len(cells)}
        if not any(said.values()):
            continue
        one = _wanted(line, said, township, villages, seen)
        if isinstance(one, LineRefused):
            people.refused.append(one)
        else:
            seen.add(one.candidate.name)
            people.wanted.append(one)
    return people


def _headings(rows: list[tuple[int, list[str]]]) -> tuple[int, dict[str, int]]:
    for at, (_, cells) in enumerate(rows[:_HEADING_LINES]):
        plain = [cell.replace(" ", "").lower() for cell in cells]
        found = {
            name: plain.index(word) for name, words in HEADINGS.items() for word in words if word in plain
        }
        if all(name in found for name in _NEEDED):
            return at, found
    raise invalid(
        "file", "headings for the name (姓名) and the role (角色) in the first lines", "missing_field"
    )


def _wanted(
    line: int, said: Mapping[str, str], township: str, villages: Mapping[str, str], seen: set[str]
) -> Wanted | LineRefused:
    name, role = " ".join(said.get("name", "").split()), role_of(said.get("role", "").strip())
    village, unit = said.get("village", "").strip(), said.get("unit", "").strip()
    reason = _wrong_name(name, seen) or _wrong_role(role)
    if reason is None and role == _VILLAGE_ROLE and village not in villages:
        shown = village[:20]
        reason = Title(f"没有这个村（社区）：{shown}", f"there is no village {shown!r}")
    if reason is None and role == _UNIT_ROLE and not unit:
        reason = Title("主办、协办单位人员要写单位", "a unit handler needs a unit")
    if reason is not None or role is None:
        return LineRefused(line, reason or Title("没有这个角色", "there is no such role"))
    return Wanted(
        Candidate(name, role, township, line),
        villages[village] if role == _VILLAGE_ROLE else None,
        unit if role == _UNIT_ROLE else None,
    )


def _wrong_name(name: str, seen: set[str]) -> Title | None:
    if not 0 < len(name) <= NAME_CHARS_MAX:
        return Title(f"姓名为 1 至 {NAME_CHARS_MAX} 字", f"a name has 1 to {NAME_CHARS_MAX} characters")
    return Title("已有同名的人", "somebody has this name already") if name in seen else None


def _wrong_role(role: str | None) -> Title | None:
    if role is None:
        words = "、".join(TITLES.values())
        return Title(f"角色应为：{words}", f"one of {', '.join(TITLES)}")
    if role.startswith("county_"):
        return Title("县级人员由县里添加", "people of a county are added by the county")
    return None
