"""Imports lists of divisions, opens townships. Both may be repeated: what is there is left or mended."""

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor
from server.audit.chain import INSTALLATION
from server.audit.log import append
from server.directory.reading import Division, Listed, Row, RowRefusal
from server.directory.working import required
from server.recovery import service as recovery
from server.refused import RefusedError
from server.storage import directory, townships
from server.storage.directory import GridRow, Opened, Place
from server.storage.engine import snapshot, transact
from server.storage.townships import EPOCH_BITS
from server.vault.keeping import vault_of
from sync_protocol.ids import place_level, uuid7

Random = Callable[[int], bytes]
CHUNK: Final = 1_000
"""Rows a transaction: short enough that a running server's writers do not wait."""
GRIDS_MAX: Final = 999
CURSOR_KEY_BYTES: Final = 32


class Imported(msgspec.Struct, frozen=True):
    """What an import did, in rows of the file; `refused` rows are left out."""

    list_year: int
    new: int
    changed: int
    unchanged: int
    refused: tuple[RowRefusal, ...]


class OpenedNow(msgspec.Struct, frozen=True):
    """A township after it was opened; `new` says whether it was not open before."""

    township: str
    name: str
    villages: int
    grids: int
    grids_added: int
    new: bool


async def import_divisions(
    engine: AsyncEngine,
    listed: Listed,
    *,
    list_year: int,
    now_ms: int,
    by: Actor = OPERATOR,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Puts the rows of a list into the directory; `progress` hears how many are done.

    A row is new when its village was not known, changed when the name of any of its places differs, and
    refused when the directory has one of them from a newer list. It runs in several transactions: after a
    failure the rows so far are in, and the same import finishes the work. The audit names it once, with the first
    of them that writes anything.
    """
    told = {"list_year": list_year, "rows": len(listed.rows)}
    unsaid: Act | None = Act(INSTALLATION, "directory_imported", by, now_ms, told)
    refused = list(listed.refused)
    before: dict[str, Place | None] = {}
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    for start in range(0, len(listed.rows), CHUNK):
        rows = listed.rows[start : start + CHUNK]
        put = partial(_put, rows=rows, list_year=list_year, before=before, act=unsaid)
        unsaid = None if await transact(engine, put) else unsaid
        for row in rows:
            verdict = _verdict(row, before, list_year)
            if isinstance(verdict, RowRefusal):
                refused.append(verdict)
            else:
                counts[verdict] += 1
        progress(start + len(rows))
    refused.sort(key=lambda refusal: refusal.line)
    return Imported(list_year, counts["new"], counts["changed"], counts["unchanged"], tuple(refused))


async def _put(
    connection: AsyncConnection,
    rows: Sequence[Row],
    list_year: int,
    before: dict[str, Place | None],
    act: Act | None,
) -> bool:
    """Writes what is new or newer, with the act; False when there is nothing such.

    `before` learns how each place stood before the import, once.
    """
    named = {division.code: division for row in rows for division in row.divisions}
    unread = [code for code in named if code not in before]
    for start in range(0, len(unread), directory.VALUES_MAX):
        codes = unread[start : start + directory.VALUES_MAX]
        known = await directory.places(connection, codes)
        before.update((code, known.get(code)) for code in codes)
    usable = [row for row in rows if not isinstance(_verdict(row, before, list_year), RowRefusal)]
    places = {d.code: _place(d, list_year) for row in usable for d in row.divisions}
    wanted = [place for code, place in places.items() if before[code] != place]
    await directory.put_places(connection, wanted)
    if wanted and act is not None:
        await append(connection, act)
    return bool(wanted)


def _verdict(row: Row, before: dict[str, Place | None], list_year: int) -> str | RowRefusal:
    """new, changed, unchanged, or why the row is left out."""
    known = [before[division.code] for division in row.divisions]
    newest = max((place.list_year for place in known if place is not None), default=list_year)
    if newest > list_year:
        return RowRefusal(row.line, f"known from the list of {newest}, and this is one of {list_year}")
    if known[-1] is None:
        return "new"
    same = all(
        place is not None and place.name == d.name for place, d in zip(known, row.divisions, strict=True)
    )
    return "unchanged" if same else "changed"


def _place(division: Division, list_year: int) -> Place:
    return Place(division.code, division.level, division.parent, division.name, list_year)


async def open_township(
    engine: AsyncEngine,
    township: str,
    *,
    grids: int,
    now_ms: int,
    random: Random,
    key_random: Random = secrets.token_bytes,
    by: Actor = OPERATOR,
) -> OpenedNow:
    """Starts work in a township: its counter at the first epoch, and grids 001 to `grids` in each village.

    Opening it again adds villages and grids that are missing and takes over new names; its identity, its
    counter and every grid stay. `key_random` makes its recovery key.

    Raises RefusedError for a code that the directory does not have.
    """
    if place_level(township) != "township":
        message = (
            f"A township is named by the 9 digits of its town code, such as 321283104, not by {township!r}."
        )
        raise RefusedError(message)
    if not 1 <= grids <= GRIDS_MAX:
        message = f"A village has 1 to {GRIDS_MAX} grids, not {grids}."
        raise RefusedError(message)
    identity, cursor_key = uuid7(now_ms, random(10)), random(CURSOR_KEY_BYTES)

    async def work(connection: AsyncConnection) -> OpenedNow:
        town = (await directory.places(connection, [township])).get(township)
        villages = await directory.villages_of(connection, township)
        if town is None or town.level != "town" or not villages:
            message = (
                f"The directory has no town {township} with villages: import a list that has it first, "
                "with `roundbook directory import FILE.csv`."
            )
            raise RefusedError(message)
        values = new_township(town, identity, cursor_key, now_ms)
        new = await directory.add_township(connection, values)
        await townships.lock(connection, township)
        if new:
            await vault_of(connection).begin(connection, township, now_ms)
            await recovery.begin(connection, township, now_ms, key_random)
        there = await directory.grids_of(connection, township)
        wanted = _grids(villages, grids, there)
        known = {row.grid: row for row in there}
        changed = [row for row in wanted if known.get(row.grid) != row]
        await directory.put_grids(connection, township, changed)
        added = len(wanted) - len(there)
        if new or changed:
            told = {"new": new, "villages": len(villages), "grids": len(wanted), "grids_added": added}
            await append(connection, Act(township, "township_opened", by, now_ms, told))
        return OpenedNow(township, town.name, len(villages), len(wanted), added, new)

    return await transact(engine, work)


def new_township(town: Place, identity: str, cursor_key: bytes, now_ms: int) -> dict[str, Any]:
    """The row of a township, or of a county, that is about to be opened."""
    return {
        "township_id": town.code,
        "name": town.name,
        "identity": identity,
        "counter": 1 << EPOCH_BITS,
        "horizon": 0,
        "cursor_key": cursor_key,
        "lost_spans": [],
        "duty_phone": None,
        "opened_ms": now_ms,
    }


def _grids(villages: Sequence[Place], count: int, there: Sequence[GridRow]) -> list[GridRow]:
    """Grids 001 to `count` of each village, and those that are there already, under today's names."""
    names = {village.code: short_name(village.name) for village in villages}
    codes = {f"{village.code}{number:03}" for village in villages for number in range(1, count + 1)}
    old = {row.grid: row for row in there}
    rows = []
    for code in sorted(codes | set(old)):
        # A village that the newest list does not have any more keeps its grids and its name.
        village = names.get(code[:12]) or old[code].village_name
        rows.append(GridRow(code, code[:12], f"{village} {code[12:]}网格", village))
    return rows


def short_name(village: str) -> str:
    """A village or community as people call it: 潘元村委会 is 潘元村, 商井社区居民委员会 is 商井社区."""
    for tail, instead in _TAILS:
        if village.endswith(tail) and len(village) > len(tail):
            return village.removesuffix(tail) + instead
    return village


_TAILS: Final = (
    ("村村民委员会", "村"),
    ("村民委员会", "村"),
    ("社区居民委员会", "社区"),
    ("社区居委会", "社区"),
    ("村委会", "村"),
)


async def opened(engine: AsyncEngine) -> list[Opened]:
    """Every township that works here."""
    return await snapshot(engine, directory.opened)


async def grids(engine: AsyncEngine, township: str) -> list[GridRow]:
    """The grids of a township that works here; raises RefusedError for any other."""

    async def work(connection: AsyncConnection) -> list[GridRow]:
        await required(connection, township)
        return await directory.grids_of(connection, township)

    return await snapshot(engine, work)
