"""The township's row: its counter, its identity, its timelines.

Numbers are epoch times 2^40 plus a count, which begins anywhere after a restore. Whoever writes takes the row's lock
first, so the order of commits is the order of numbers and no reader can skip a late commit (failures, row 1).
"""

import secrets
from itertools import groupby
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.dialect import prepared
from server.storage.engine import is_sqlite
from sync_protocol.registration import Registered, written

EPOCH_BITS: Final = 40
_FIRST_MAX: Final = 2**32
"""Below this, the numbers of a timeline begin: it keeps 255 of 256 for its changes."""


class LostSpan(msgspec.Struct, frozen=True, array_like=True):
    """What a restore took back: numbers of changes and records, and when. Times in milliseconds since 1970."""

    first: int
    last: int
    since_ms: int = 0
    """Everything that the township received before is there; 0 where that is not known."""
    noticed_ms: int = 0
    registers: tuple[tuple[int, int, int], ...] = ()
    """Year, first and last of the registration numbers that were given in that time."""
    slips: tuple[tuple[str, int, int], ...] = ()
    """Sort, year, and how far the numbers of slips had come then."""


class Township(msgspec.Struct, frozen=True):
    """What a push or a pull needs to know of its township."""

    id: str
    identity: str
    counter: int
    horizon: int
    cursor_key: bytes
    lost_spans: tuple[LostSpan, ...]
    tip: int = 0
    """The number of the newest change, 0 before the first."""
    tip_change: str = ""
    register: tuple[int, int] = (0, 0)
    """The newest year of the register, and its last number."""

    @property
    def server(self) -> str:
        """Which server and which of its timelines, as answers state it."""
        return f"{self.identity}:{self.counter >> EPOCH_BITS}"

    @property
    def begun(self) -> int:
        """The number that this timeline began above."""
        return self.lost_spans[-1].last if self.lost_spans else self.counter >> EPOCH_BITS << EPOCH_BITS

    def survived(self, number: int) -> int:
        """A version as this timeline knows it: one of a lost span counts as the head it was lost above."""
        for span in self.lost_spans:
            if span.first <= number <= span.last:
                return span.first - 1
        return number

    def lacks(self, head: int) -> bool:
        """Whether a reader has stood at `head` in a timeline that is not this one.

        That can be so though every change of its time is here: a timeline that was lost may have begun and had none.
        A timeline begins at the last number of the span before it, where its readers may stand.
        """
        return head > self.counter or any(span.first <= head < span.last for span in self.lost_spans)

    def slips_given(self, sort: str, year: int) -> int:
        """The last number that slips of a sort had before a restore, 0 where none is known: papers bear it."""
        noted = [last for span in self.lost_spans for *of, last in span.slips if of == [sort, year]]
        return max(noted, default=0)


_COLUMNS: Final = (
    "township_id, CAST(identity AS text) AS identity, counter, horizon, cursor_key, lost_spans, tip, "
    "CAST(tip_change AS text) AS tip_change"
)
_FROM: Final = "FROM townships WHERE township_id = :t"
_YEARS: Final = 10**9
_REGISTER: Final = (
    f"(SELECT max(CAST(year AS bigint) * {_YEARS} + last) FROM registers WHERE township_id = :t) AS register"
)
_PLAIN: Final = prepared(f"SELECT {_COLUMNS}, {_REGISTER} {_FROM}", f"{_COLUMNS}, register")
# Without the register: beside a lock it would be read as it was before the wait (rule Q9).
_LOCKING: Final = prepared(f"SELECT {_COLUMNS}, 0 AS register {_FROM} FOR UPDATE", f"{_COLUMNS}, register")
_BUMP: Final = text(
    "UPDATE townships SET counter = :counter, tip = :tip, tip_change = :change WHERE township_id = :t"
)
_HORIZON: Final = text(
    "UPDATE townships SET horizon = :horizon WHERE township_id = :t AND horizon < :horizon"
)
_REOPEN: Final = text("UPDATE townships SET counter = :counter, lost_spans = :spans WHERE township_id = :t")
_NUMBERED: Final = text("SELECT number FROM records WHERE township_id = :t AND number LIKE :year")
_CODES: Final = text("SELECT township_id FROM townships ORDER BY township_id")
_NOTE: Final = text("UPDATE townships SET lost_spans = :spans WHERE township_id = :t")
_NEWEST: Final = text(
    "SELECT max(at) FROM (SELECT max(received_ms) AS at FROM changes WHERE township_id = :t "
    "UNION ALL SELECT max(contact_ms) FROM devices WHERE township_id = :t "
    "UNION ALL SELECT opened_ms FROM townships WHERE township_id = :t) x"
)


async def read(connection: AsyncConnection, township: str) -> Township | None:
    """The township as this transaction sees it; None when it was never opened."""
    return await _one(connection, _PLAIN, township)


async def codes(connection: AsyncConnection) -> list[str]:
    """The townships that work here, in order."""
    return [row.township_id for row in await connection.execute(_CODES)]


async def lock(connection: AsyncConnection, township: str) -> Township | None:
    """The same, holding its lock until the transaction ends. SQLite's writers hold the whole file already."""
    return await _one(connection, _PLAIN if is_sqlite(connection) else _LOCKING, township)


async def bump(connection: AsyncConnection, township: str, counter: int, tip: int, change: str) -> None:
    """Records the last number given, and the newest change with its own."""
    await connection.execute(_BUMP, {"t": township, "counter": counter, "tip": tip, "change": change})


async def move_horizon(connection: AsyncConnection, township: str, horizon: int) -> None:
    """Records that exits up to `horizon` are gone; it never moves back."""
    await connection.execute(_HORIZON, {"t": township, "horizon": horizon})


async def newest_ms(connection: AsyncConnection, township: str) -> int:
    """When the township last heard of anybody, in milliseconds since 1970."""
    return int(await connection.scalar(_NEWEST, {"t": township}) or 0)


def first_count() -> int:
    """Where the numbers of another timeline begin."""
    return secrets.randbelow(_FIRST_MAX)


async def open_epoch(
    connection: AsyncConnection, township: Township, *, above: int, since_ms: int, now_ms: int
) -> Township:
    """A new timeline after a restore: numbers go on above everything that may have been given and lost.

    `above` is the highest number that is known of the lost one, which may have been a second timeline itself. Of that
    one nothing may be known either, so numbers do not begin where it began: else its readers would seem to stand here.
    """
    counter = ((max(township.counter, above) >> EPOCH_BITS) + 1) << EPOCH_BITS
    counter += first_count()
    spans = (*township.lost_spans, LostSpan(township.counter + 1, counter, since_ms, now_ms))
    await connection.execute(_REOPEN, {"t": township.id, "counter": counter, "spans": _encoded(spans)})
    return msgspec.structs.replace(township, counter=counter, lost_spans=spans)


async def note_numbers(
    connection: AsyncConnection, township: Township, year: int, first: int, last: int
) -> Township:
    """Notes registration numbers of the newest lost span."""
    newest = township.lost_spans[-1]
    noted = msgspec.structs.replace(newest, registers=(*newest.registers, (year, first, last)))
    spans = (*township.lost_spans[:-1], noted)
    await connection.execute(_NOTE, {"t": township.id, "spans": _encoded(spans)})
    return msgspec.structs.replace(township, lost_spans=spans)


async def note_slips(
    connection: AsyncConnection, township: Township, given: tuple[tuple[str, int, int], ...]
) -> None:
    """Notes with the newest lost span how far the numbers of slips had come."""
    noted = msgspec.structs.replace(township.lost_spans[-1], slips=given)
    spans = (*township.lost_spans[:-1], noted)
    await connection.execute(_NOTE, {"t": township.id, "spans": _encoded(spans)})


async def missing_numbers(
    connection: AsyncConnection, township: str, span: LostSpan
) -> tuple[tuple[str, str], ...]:
    """The registration numbers of a lost span that no record has, as first and last of each row of them."""
    missing: list[tuple[str, str]] = []
    for year, first, last in span.registers:
        rows = await connection.execute(_NUMBERED, {"t": township, "year": f"{township}-{year}-%"})
        there = {row.number for row in rows}
        given = [written(township, Registered(year, serial)) for serial in range(first, last + 1)]
        for is_there, group in groupby(given, key=there.__contains__):
            numbers = list(group)
            missing += [] if is_there else [(numbers[0], numbers[-1])]
    return tuple(missing)


def spans_of(stored: object) -> tuple[LostSpan, ...]:
    """The lost spans of a township as its row holds them."""
    plain = msgspec.json.decode(stored) if isinstance(stored, str) else stored
    return msgspec.convert(plain, tuple[LostSpan, ...])


def _encoded(spans: tuple[LostSpan, ...]) -> str:
    return msgspec.json.encode(spans).decode()


async def _one(connection: AsyncConnection, statement: object, township: str) -> Township | None:
    row = (await connection.execute(statement, {"t": township})).one_or_none()  # type: ignore[call-overload]  # one of the two texts above
    if row is None:
        return None
    return Township(
        row.township_id,
        row.identity,
        row.counter,
        row.horizon,
        bytes(row.cursor_key),
        spans_of(row.lost_spans),
        row.tip or 0,
        row.tip_change or "",
        divmod(row.register or 0, _YEARS),
    )
