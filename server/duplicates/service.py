"""What may be one matter: while a new one is typed, and as pairs that the office decides about."""

from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined, invalid, not_found
from server.duplicates.keeping import PAIRS, subject_of
from server.duplicates.likeness import DAYS_MAX, Reason, likeness, subject
from server.following import CATCH_UP, follow
from server.joins import service as joins
from server.joins.service import Joined
from server.reach import Caller
from server.records import paging
from server.records.paging import Position
from server.records.reading import veil_for
from server.records.views import RecordView, record_view
from server.records.writing import Target, open_writing
from server.services import Services
from server.storage import duplicates, records
from server.storage.duplicates import DIFFERENT, JOINED, OPEN, Pair
from server.storage.engine import snapshot
from sync_protocol.ids import is_id, place_level

CANDIDATES_MAX: Final = 8
COMPARED_MAX: Final = 300
_decode: Final = msgspec.json.Decoder(tuple[Reason, ...]).decode


class Candidate(msgspec.Struct, frozen=True):
    """A matter that may be the one at hand, and why."""

    record: str
    number: str
    title: str
    state: str
    score: int
    reasons: tuple[Reason, ...]


class PairView(msgspec.Struct, frozen=True, kw_only=True):
    """Two matters that may be one. `one` is the older of both."""

    township: str
    one: RecordView
    other: RecordView
    score: int
    reasons: tuple[Reason, ...]
    status: str
    """open, joined, different."""
    found_ms: int
    decided_ms: int | None
    reason: str | None


class PairPage(msgspec.Struct, frozen=True):
    """Some pairs, the oldest first, and from where the list goes on."""

    pairs: list[PairView]
    next: str | None


async def similar(
    services: Services, caller: Caller, title: str, narrative: str, village: str, category: str | None
) -> list[Candidate]:
    """Matters of a village (or grid) within the last 30 days that what is being typed may be, the likeliest first.

    At most CANDIDATES_MAX; only what the caller reaches. For a form that asks again with every pause in typing.
    """
    if place_level(village) not in {"village", "grid"} or village[:9] not in caller.townships:
        return []
    now_ms, township = services.clock(), village[:9]
    typed = subject(title, narrative, village, category, now_ms)

    async def read(connection: AsyncConnection) -> list[Candidate]:
        since_ms = now_ms - DAYS_MAX * 86_400_000
        recent = await duplicates.recent(connection, township, village[:12], since_ms, COMPARED_MAX)
        reached = await records.reached(connection, township, [one.id for one, _ in recent], caller.reach)
        found: list[Candidate] = []
        for state, at_ms in recent:
            alike = likeness(typed, subject_of(state, at_ms)) if state.id in reached else None
            if alike is not None:
                said = state.number or "", state.values.get("title") or "", state.state or ""
                found.append(Candidate(state.id, *said, alike.score, alike.reasons))
        return sorted(found, key=lambda one: (-one.score, one.number))[:CANDIDATES_MAX]

    return await snapshot(services.engine, read)


async def listed(
    services: Services, caller: Caller, status: str, after: str | None, limit: int | None
) -> PairPage:
    """A page of pairs, township by township, the oldest first; what was just written is looked at before."""
    if status not in {OPEN, JOINED, DIFFERENT}:
        raise Declined("malformed", "status is open, joined or different")
    await services.registry.ensure()
    most, views = paging.bounded(limit), list[PairView]()
    for township, start in paging.from_here(tuple(sorted(caller.townships)), paging.position(after)):
        await follow(services, township, PAIRS, CATCH_UP)
        work = partial(_page, services=services, caller=caller, township=township, status=status)
        found = await snapshot(services.engine, partial(work, start=start, most=most - len(views) + 1))
        room = most - len(views)
        views += [view for view, _ in found[:room]]
        if len(found) > room:
            return PairPage(views, paging.token(found[room - 1][1]))
    return PairPage(views, None)


async def _page(
    connection: AsyncConnection,
    services: Services,
    caller: Caller,
    township: str,
    status: str,
    start: Position,
    most: int,
) -> list[tuple[PairView, Position]]:
    found = await duplicates.listed(connection, township, status, (start.n, start.id), most, caller.reach)
    return [
        (view, Position(township, pair.n, pair.pair_id))
        for pair, view in await _views(connection, services, caller, township, found)
    ]


async def get(services: Services, caller: Caller, one: str, other: str) -> PairView:
    """One pair; also two matters that nobody suggested, so that the office may join what it finds itself."""
    await services.registry.ensure()
    for township in caller.townships if is_id(one) and is_id(other) and one != other else ():
        work = partial(_pair_of, services=services, caller=caller, township=township, ids=(one, other))
        found = await snapshot(services.engine, work)
        if found is not None:
            return found
    raise not_found()


async def _pair_of(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, ids: tuple[str, str]
) -> PairView | None:
    fresh = duplicates.pair_of(*ids, 0, 0)
    known = {pair.pair_id: pair for pair in await duplicates.of_records(connection, township, [ids[0]])}
    pair = known.get(fresh.pair_id, fresh)
    views = await _views(connection, services, caller, township, [pair])
    return views[0][1] if views else None


async def _views(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, found: list[Pair]
) -> list[tuple[Pair, PairView]]:
    """The pairs whose records are both within reach."""
    ids = sorted({name for pair in found for name in (pair.one_id, pair.other_id)})
    states = await records.reached(connection, township, ids, caller.reach)
    views = {
        name: record_view(township, state, veil_for(services, caller, state.kind))
        for name, state in states.items()
    }
    return [
        (pair, _view(pair, views, township))
        for pair in found
        if pair.one_id in views and pair.other_id in views
    ]


def _view(pair: Pair, views: dict[str, RecordView], township: str) -> PairView:
    one, other = sorted(
        (views[pair.one_id], views[pair.other_id]), key=lambda view: (view.number or "~", view.id)
    )
    return PairView(
        township=township,
        one=one,
        other=other,
        score=pair.score,
        reasons=_decode(pair.reasons),
        status=pair.status,
        found_ms=pair.found_ms,
        decided_ms=pair.decided_ms,
        reason=pair.reason,
    )


async def join(services: Services, caller: Caller, target: Target, survivor: str, reason: str) -> Joined:
    """Joins one of a pair into the other; other pairs of it are suggestions no more while it is joined."""
    done = await joins.join(services, caller, target, survivor, reason)
    await _decide(services, caller, (target.thing, survivor), JOINED, reason)
    return done


async def split(services: Services, caller: Caller, target: Target, reason: str) -> Joined:
    """Splits a joined matter off again; the two are not suggested as one any more."""
    done = await joins.split(services, caller, target, reason)
    if done.absorbed.id != done.survivor.id:  # sent again, the answer names no other one
        await _decide(services, caller, (done.absorbed.id, done.survivor.id), DIFFERENT, reason)
    return done


async def mark_different(services: Services, caller: Caller, one: str, other: str, reason: str) -> None:
    """Says that two matters are two: they are never suggested as one again. Declines what is decided already."""
    view = await get(services, caller, one, other)
    if len(reason) > joins.REASON_CHARS_MAX:
        raise invalid("reason", f"a reason has at most {joins.REASON_CHARS_MAX} characters")
    if {one, other} & {view.one.joined_into, view.other.joined_into}:
        raise Declined("joined")
    if not await _decide(services, caller, (one, other), DIFFERENT, reason):
        raise Declined("already_decided")


async def _decide(services: Services, caller: Caller, ids: tuple[str, str], status: str, reason: str) -> bool:
    """Keeps what the office said of a pair, suggested or not. Whether that is news."""
    now_ms = services.clock()

    async def work(connection: AsyncConnection, township: str) -> bool:
        writing = await open_writing(connection, services, caller, township, now_ms)
        await duplicates.lock(connection, township)
        fresh = duplicates.pair_of(*ids, writing.township.counter, now_ms)
        known = {pair.pair_id: pair for pair in await duplicates.of_records(connection, township, [ids[0]])}
        pair = known.get(fresh.pair_id, fresh)
        if pair.status == status:
            return False
        said = {"status": status, "decided_ms": now_ms, "decided_by": caller.id, "reason": reason or None}
        await duplicates.write(connection, township, [msgspec.structs.replace(pair, **said)])
        return True

    township = (await get(services, caller, *ids)).township
    return await services.write(township, partial(work, township=township))
