"""Urging (催办) and supervising (督办) by a person: a note that stands among what waits until somebody answers it.

What deadlines tell by themselves is in server/deadlines; both are shown side by side.
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Name
from server.audit.log import append
from server.declined import Declined, invalid, not_found
from server.reach import Caller
from server.records import paging
from server.records.reading import find
from server.records.writing import Target, actor_of, checked_key, record_of, request_id
from server.services import Services
from server.storage import casework, office_authors, records, townships
from server.storage.casework import Urging
from server.storage.engine import snapshot
from sync_protocol.kinds import Title

SORTS: Final = {"urge": Title("催办", "Urged"), "supervise": Title("督办", "Supervised")}
WORDS_CHARS_MAX: Final = 2_000


class NewUrging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody is to be urged, or supervised."""

    sort: str
    words: str


class UrgingView(msgspec.Struct, frozen=True, kw_only=True):
    """An urging, with who made and who answered it by name."""

    id: str
    record: str
    number: str | None
    sort: str
    title: Title
    words: str
    by: str | None
    made_ms: int
    answer: str | None
    answered_by: str | None
    answered_ms: int | None


async def of_record(services: Services, caller: Caller, record: str) -> list[UrgingView]:
    """The urgings of a matter, the oldest first."""
    township, state = await find(services, caller, record)

    async def read(connection: AsyncConnection) -> list[UrgingView]:
        found = await casework.urgings_of(connection, township, record)
        return await _views(connection, township, found, {record: state.number})

    return await snapshot(services.engine, read)


async def standing(services: Services, caller: Caller, limit: int | None = None) -> list[UrgingView]:
    """Those within the caller's reach that nobody has answered: the oldest of each township first."""
    most, views = paging.bounded(limit), list[UrgingView]()
    for township in caller.townships:

        async def read(connection: AsyncConnection, township: str = township) -> list[UrgingView]:
            found = await casework.unanswered(connection, township, most, caller.reach)
            ids = sorted({one.record_id for one in found})
            states = await records.by_ids(connection, township, ids)
            numbers = {state.id: state.number for state in states.values()}
            return await _views(connection, township, found, numbers)

        views += await snapshot(services.engine, read)
    return views[:most]


async def make(services: Services, caller: Caller, target: Target, new: NewUrging) -> None:
    """Urges, or supervises; the same request again does nothing more."""
    if new.sort not in SORTS:
        raise invalid("sort", f"one of {', '.join(SORTS)}")
    words, now_ms = _words("words", new.words), services.clock()
    checked_key(target.key)
    township, _ = await find(services, caller, target.thing)
    urging = request_id(services, caller, target, msgspec.json.encode(new), now_ms)

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, township)
        if (await record_of(connection, township, target.thing, caller.reach)).erased:
            raise Declined("erased")
        there = await casework.urgings_of(connection, township, target.thing)
        if all(one.urging_id != urging for one in there):
            made = Urging(urging, target.thing, new.sort, words, caller.id, now_ms)
            await casework.add_urging(connection, township, made)
            await _note(connection, township, caller, "urging_made", made, now_ms)

    await services.write(township, work)


async def answer(services: Services, caller: Caller, record: str, urging: str, words: str) -> None:
    """Answers an urging; declines one that somebody else has answered."""
    said, now_ms = _words("answer", words), services.clock()
    township, _ = await find(services, caller, record)

    async def work(connection: AsyncConnection) -> None:
        await townships.lock(connection, township)
        await record_of(connection, township, record, caller.reach)
        there = await casework.urgings_of(connection, township, record)
        found = next((one for one in there if one.urging_id == urging), None)
        if found is None:
            raise not_found()
        if found.answered_ms is not None:
            if (found.answered_by, found.answer) == (caller.id, said):
                return
            raise Declined(
                "already_decided", "somebody has answered this meanwhile", detail_zh="别人已经答复了"
            )
        await casework.answer_urging(connection, township, urging, caller.id, said, now_ms)
        await _note(connection, township, caller, "urging_answered", found, now_ms)

    await services.write(township, work)


async def _views(
    connection: AsyncConnection, township: str, found: list[Urging], numbers: dict[str, str | None]
) -> list[UrgingView]:
    who = {one for urging in found for one in (urging.made_by, urging.answered_by) if one is not None}
    names = await office_authors.names(connection, township, sorted(who))
    return [
        UrgingView(
            id=one.urging_id,
            record=one.record_id,
            number=numbers.get(one.record_id),
            sort=one.sort,
            title=SORTS[one.sort],
            words=one.words,
            by=names.get(one.made_by),
            made_ms=one.made_ms,
            answer=one.answer,
            answered_by=names.get(one.answered_by or ""),
            answered_ms=one.answered_ms,
        )
        for one in found
    ]


async def _note(
    connection: AsyncConnection, township: str, caller: Caller, name: Name, urging: Urging, now_ms: int
) -> None:
    told = {"record": urging.record_id, "urging": urging.urging_id, "sort": urging.sort}
    await append(connection, Act(township, name, actor_of(caller), now_ms, told))


def _words(field: str, text: str) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= WORDS_CHARS_MAX or "\0" in plain:
        raise invalid(field, f"a text of 1 to {WORDS_CHARS_MAX} characters")
    return plain
