"""The feed: what happened in the townships of a token since a cursor, and waiting for more.

Within a township, events come in the order of their numbers, which is the order of commits (failures, row
1), so none is skipped. Between townships there is no order, and each gets its share of a page, so that a
busy one does not starve the others (row 26). Whoever waits holds no database connection meanwhile.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined
from server.feed.cursor import CursorInvalid, Mark, joined, seal, sealed_part, unseal
from server.feed.events import Event, Feed, event
from server.reach import Caller
from server.records import paging
from server.records.reading import veil_for
from server.services import Services
from server.storage import office_authors, office_changes, records, townships
from server.storage.engine import snapshot
from server.storage.townships import Township

WAIT_S_MAX: Final = 60
NOW: Final = "now"
_POLL_S: Final = 0.5


class Wish(msgspec.Struct, frozen=True):
    """What a reader asks for."""

    since: str | None = None
    """A cursor; None for the beginning, "now" for the head alone."""
    wait_s: float = 0
    """How long to wait when there is nothing new, at most WAIT_S_MAX."""
    limit: int | None = None
    own: bool = False
    """Whether the reader's own changes are events too."""


@dataclass(slots=True)
class _Reading:
    """A reader on the way through its townships."""

    services: Services
    caller: Caller
    own: bool
    keys: dict[str, bytes]
    marks: dict[str, Mark]
    parts: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def part(self, township: str, mark: Mark) -> str:
        """A township's part of the cursor."""
        return sealed_part(township, mark, self.keys[township], self.caller.id)

    def move(self, township: str, mark: Mark) -> None:
        """Notes how far a township has been read."""
        self.marks[township] = mark
        self.parts[township] = self.part(township, mark)


async def changes(services: Services, caller: Caller, wish: Wish) -> Feed:
    """The next events. Declines a cursor that is not this reader's, and one that is too old to go on from."""
    await services.registry.ensure()
    heads = await _heads(services, caller)
    keys = {township: head.cursor_key for township, head in heads.items()}
    now = {township: Mark(head.tip, head.tip_change) for township, head in heads.items()}
    if wish.since == NOW:
        return Feed([], seal(now, keys, caller.id))
    reading = _Reading(services, caller, wish.own, keys, _start(wish.since, keys, caller.id))
    for township, head in heads.items():
        reading.move(township, reading.marks[township])
        await _check(reading, township, head, seal(now, keys, caller.id))
    deadline = asyncio.get_running_loop().time() + min(max(wish.wait_s, 0), WAIT_S_MAX)
    await _advance(reading, heads, paging.bounded(wish.limit))
    while not reading.events and (left := deadline - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(_POLL_S, left))
        await _advance(reading, await _heads(services, caller), paging.bounded(wish.limit))
    return Feed(reading.events, joined(reading.parts))


def _start(since: str | None, keys: dict[str, bytes], reader: str) -> dict[str, Mark]:
    """Where the reader stands. A township that the token has gained since is read from its beginning."""
    try:
        marks = unseal(since, keys, reader) if since is not None else {}
    except CursorInvalid as error:
        raise Declined("cursor_invalid") from error
    return {township: marks.get(township, Mark()) for township in keys}


async def _heads(services: Services, caller: Caller) -> dict[str, Township]:
    heads: dict[str, Township] = {}
    for township in sorted(caller.townships):
        head = await snapshot(services.engine, partial(townships.read, township=township))
        if head is not None:
            heads[township] = head
    return heads


async def _check(reading: _Reading, township: str, head: Township, fresh: str) -> None:
    """Declines to go on where rows below may be gone, or where the reader has seen another timeline."""
    mark = reading.marks[township]
    if mark.n == 0:
        return
    work = partial(office_changes.change_at, township=township, n=mark.n)
    # Whoever stands at the newest change has missed nothing, however long ago that was.
    kept = mark.n >= min(head.horizon, head.tip)
    if not kept or await snapshot(reading.services.engine, work) != mark.change:
        detail = "take the cursor given here, read the records again, then go on from it"
        raise Declined("cursor_expired", detail, cursor=fresh, read="/v1/records")


async def _advance(reading: _Reading, heads: dict[str, Township], limit: int) -> None:
    """Reads on in every township that has something new."""
    share = max(limit // max(len(heads), 1), 1)
    for township, head in heads.items():
        if head.tip > reading.marks[township].n:
            work = partial(_read, reading=reading, township=township, most=share)
            events, mark = await snapshot(reading.services.engine, work)
            reading.events += events
            reading.move(township, mark)


async def _read(
    connection: AsyncConnection, reading: _Reading, township: str, most: int
) -> tuple[list[Event], Mark]:
    """The next events of one township, and how far that is. Changes nothing: it may be repeated."""
    head = await townships.read(connection, township)
    without = None if reading.own else reading.caller.id
    mark = reading.marks[township]
    rows = await office_changes.events(connection, township, mark.n, without, most, reading.caller.reach)
    states = await records.by_ids(connection, township, sorted({row.record_id or "" for row in rows}))
    names = await office_authors.names(connection, township, sorted({row.author for row in rows}))
    events = []
    for row in rows:
        mark = Mark(row.n, row.change_id)
        cursor = joined({**reading.parts, township: reading.part(township, mark)})
        state = states[row.record_id or ""]
        veil = veil_for(reading.services, reading.caller, state.kind)
        events.append(event(township, row, state, names, veil, cursor))
    if len(rows) < most and head is not None:
        # Nothing up to the head was left out but what is no event, so the reader need not look there again.
        mark = Mark(head.tip, head.tip_change)
    return events, mark
