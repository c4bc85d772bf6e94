"""The fields of a matter in the groups in which a case file shows them, none of its declaration left out. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from server.casefile.forms import typed
from server.saying import Language, pick, value_said
from sync_protocol.kinds import Field, Kind, Title

PARTIES: Final = "parties"
_GROUPS: Final = (
    (Title("事项", "The matter"), ("title", "narrative", "nature", "category", "service_category", "tags")),
    (
        Title("规模与地点", "Scale and place"),
        ("scale", "people_involved", "units_involved", "place_description", "point"),
    ),
    (
        Title("来源与首接", "Source and first contact"),
        ("source", "found_at", "first_contact", "first_contact_at"),
    ),
    (Title("办理", "Handling"), ("urgency", "level", "restricted")),
)
_REST: Final = Title("其他", "Other")
_ELSEWHERE: Final = frozenset({"parent", "earlier_matter"})


class Fact(msgspec.Struct, frozen=True):
    """One field, and whether a form may change it."""

    name: str
    label: str
    said: str
    typed: bool


class Group(msgspec.Struct, frozen=True):
    """Facts that belong together."""

    title: Title
    facts: list[Fact]


class Entry(msgspec.Struct, frozen=True):
    """One entry of a list: what it says, sub-field by sub-field."""

    id: str
    said: list[tuple[str, str]]


class EntryList(msgspec.Struct, frozen=True):
    """A list of entries."""

    name: str
    label: str
    entries: list[Entry]


def facts_of(kind: Kind | None, values: Mapping[str, Any], language: Language) -> list[Group]:
    """Every field that is no list of entries; what no group names stands in the last one."""
    declared = (kind.fields if kind else {}).items()
    # The state is moved by steps alone, and stands at the head of the page.
    plain = {name: field for name, field in declared if not field.of and field.merge != "workflow"}
    groups = [(title, [plain.pop(name) for name in names if name in plain]) for title, names in _GROUPS]
    groups.append((_REST, [field for name, field in plain.items() if name not in _ELSEWHERE]))
    return [
        Group(title, [_fact(field, values.get(field.name), language) for field in fields])
        for title, fields in groups
        if fields
    ]


def lists_of(kind: Kind | None, values: Mapping[str, Any], language: Language) -> list[EntryList]:
    """The lists of entries in the order of the declaration, but for the parties, which have a place of their own."""
    return [
        EntryList(name, pick(field.title, language), _entries(field, values.get(name) or {}, language))
        for name, field in (kind.fields if kind else {}).items()
        if field.of and name != PARTIES
    ]


def _fact(field: Field, value: Any, language: Language) -> Fact:
    return Fact(field.name, pick(field.title, language), value_said(field, value, language), typed(field))


def _entries(field: Field, entries: Mapping[str, Any], language: Language) -> list[Entry]:
    return [
        Entry(
            entry,
            [
                (pick(sub.title, language), value_said(sub, entries[entry][sub.name], language))
                for sub in field.of
                if entries[entry].get(sub.name) is not None
            ],
        )
        for entry in sorted(entries)
    ]
