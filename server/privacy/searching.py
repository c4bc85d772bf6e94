"""Looks for words in narratives: for a stated reason, written down before anything is looked at.

There is no search for people: names and contact are never looked into, only fields that the kind declares as
narrative, within the caller's reach. What is found is a number and a few words around the place, with every run
of digits that could be somebody's hidden.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.declined import invalid
from server.privacy.matters import checked_reason
from server.privacy.numbers import LONG_NUMBER, hidden
from server.reach import Caller
from server.records.paging import NUMBER_MAX
from server.records.writing import actor_of
from server.services import Services
from server.storage import narratives
from server.storage.engine import snapshot
from server.vault.keeping import keys_of
from sync_protocol.kinds import Field, Kind
from sync_protocol.state import RecordState

TEXT_CHARS: Final = (2, 50)
FOUND_MAX: Final = 50
_AROUND: Final = 20
_ROUNDS_MAX: Final = 10
"""Bounds what one search reads, where the words stand in fields that are no narrative."""
_NARRATIVE: Final = "narrative"


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked for, and why."""

    text: str
    """2 to 50 characters, as they would stand in the narrative."""
    reason: str
    """4 to 500 characters."""


class Found(msgspec.Struct, frozen=True):
    """One record whose narrative has the words."""

    record: str
    number: str | None
    kind: str
    state: str | None
    field: str
    excerpt: str
    """The words with a little around them; long numbers are hidden."""


class Results(msgspec.Struct, frozen=True):
    """At most FOUND_MAX records, and whether there may be more: then say it more exactly."""

    found: list[Found]
    more: bool


async def search(services: Services, caller: Caller, wanted: Search) -> Results:
    """Writes the search down, then looks. Declines texts and reasons of the wrong length."""
    reason, text = checked_reason(wanted.reason), _checked(wanted.text)
    await services.registry.ensure()
    found: list[Found] = []
    whole = True
    for township in caller.townships:
        await _note(services, caller, township, text, reason)
        whole &= await _look(services, caller, township, text, found)
    return Results(found[:FOUND_MAX], not whole or len(found) > FOUND_MAX)


async def _look(services: Services, caller: Caller, township: str, text: str, found: list[Found]) -> bool:
    """Adds what one township has, the newest first; whether everything that has the text was looked at."""
    below = NUMBER_MAX
    for _ in range(_ROUNDS_MAX):

        async def read(connection: AsyncConnection, below: int = below) -> list[RecordState]:
            return await narratives.holding(connection, township, text, caller.reach, below)

        states = await snapshot(services.engine, read)
        found += [one for state in states for one in _hits(services, state, text)]
        if len(states) < narratives.AT_ONCE or len(found) > FOUND_MAX:
            return len(states) < narratives.AT_ONCE
        below = states[-1].version
    return False


async def _note(services: Services, caller: Caller, township: str, text: str, reason: str) -> None:
    """The reason is kept in words; of the text its length and a keyed hash, by which it can be recognised."""
    by, now_ms = actor_of(caller), services.clock()

    async def work(connection: AsyncConnection) -> None:
        keys = await keys_of(connection, township)
        told: dict[str, Value] = {
            "reason": reason,
            "chars": len(text),
            "text": keys.hash("searched", text),
        }
        await append(connection, Act(township, "narratives_searched", by, now_ms, told))

    await services.write(township, work)


def _checked(text: str) -> str:
    plain = unicodedata.normalize("NFC", text.strip())
    low, high = TEXT_CHARS
    if not low <= len(plain) <= high or not plain.isprintable():
        raise invalid("text", f"what is looked for has {low} to {high} characters on one line")
    if LONG_NUMBER.search(plain):
        raise invalid("text", "long numbers are not looked for: a matter is looked up by contact by itself")
    return plain


def _hits(services: Services, state: RecordState, text: str) -> Iterator[Found]:
    """The first place of a record where a narrative has the words; none where they stand in other fields."""
    kind = services.registry.latest(state.kind)
    for path, value in _narratives(kind, state) if kind is not None else ():
        at = value.find(text)
        if at >= 0:
            excerpt = _excerpt(value, at, len(text))
            yield Found(state.id, state.number, state.kind, state.state, path, excerpt)
            return


def _narratives(kind: Kind, state: RecordState) -> Iterator[tuple[str, str]]:
    for name, value in state.values.items():
        field = kind.field(name)
        if field is None:
            continue
        if field.privacy == _NARRATIVE and isinstance(value, str):
            yield name, value
        if field.of and isinstance(value, dict):
            yield from _in_entries(field, value)


def _in_entries(field: Field, entries: dict[str, dict[str, object]]) -> Iterator[tuple[str, str]]:
    for entry in entries.values():
        for sub, value in entry.items():
            declared = field.sub_field(sub)
            if declared is not None and declared.privacy == _NARRATIVE and isinstance(value, str):
                yield f"{field.name}/{sub}", value


def _excerpt(value: str, at: int, length: int) -> str:
    """Masked before it is cut, so that no end of a long number is left over."""
    shown = hidden(value)
    start, end = max(0, at - _AROUND), at + length + _AROUND
    return f"{'…' if start else ''}{shown[start:end]}{'…' if end < len(value) else ''}"
