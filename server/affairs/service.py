"""One affair of many people, an unfinished estate with eighty buyers: a parent with members and one answer for all.

A member says which matter is its parent (field `parent`). Each of these deeds is an ordinary change of each matter
that it touches, and all of them are taken in by one push, or none.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined, invalid
from server.reach import Caller
from server.records import service as matters
from server.records.creating import NewRecord
from server.records.reading import find, veil_for
from server.records.views import RecordView, record_view
from server.records.writing import Writing, admit_all, checked_key, derived_id, latest_shape, open_writing
from server.services import Services
from server.storage import affairs, changes, joins, records
from server.storage.engine import snapshot
from sync_protocol.changes import Change, Put
from sync_protocol.state import PARENT, RecordState

KIND: Final = "matter"

MEMBERS_MAX: Final = 300
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


Making = Callable[[Writing, RecordState], Change | None]


class Affair(msgspec.Struct, frozen=True):
    """A parent with its members, by number."""

    parent: RecordView
    members: list[RecordView]


class Answer(msgspec.Struct, frozen=True):
    """One answer for all: what is said, by which channel, in whose name."""

    text: str
    channel: str | None = None
    by: str | None = None


async def begin(
    services: Services, caller: Caller, key: str, title: str, numbers: Sequence[str], reason: str
) -> Affair:
    """Makes a parent matter, in the township (or the village that all members share), with these members.

    The same key again makes no second one. Declines numbers that are not found, and members of another parent.
    """
    members = await named(services, caller, numbers)
    places = {view.place[:12] for view in members}
    place = places.pop() if len(places) == 1 else members[0].township
    new = NewRecord(KIND, f"affair:{key}", place, {"title": title, "nature": members[0].fields.get("nature")})
    parent, _ = await matters.create(services, caller, new)
    return await add(services, caller, key, parent.id, numbers, reason)


async def add(
    services: Services, caller: Caller, key: str, parent: str, numbers: Sequence[str], reason: str
) -> Affair:
    """Makes these matters members of a parent."""
    await find(services, caller, parent)
    members = await named(services, caller, numbers)
    if any(view.id == parent for view in members):
        raise _refused("总事项不能是自己的成员", "a matter is no member of itself")

    def change(writing: Writing, state: RecordState) -> Change | None:
        standing = state.values.get(PARENT)
        if standing == parent:
            return None
        if standing is not None:
            raise _refused(f"{state.number} 已属于另一总事项", f"{state.number} has another parent already")
        return _change(writing, state, reason, fields={PARENT: parent})

    await _for_each(services, caller, members[0].township, (key, [view.id for view in members]), change)
    return await get(services, caller, parent)


async def answer_all(services: Services, caller: Caller, key: str, parent: str, answer: Answer) -> Affair:
    """Writes one answer into the parent, its members and what was joined into any of them."""
    if not answer.text.strip():
        raise invalid("text", "an answer says something", "missing_field")
    affair = await get(services, caller, parent)
    township = affair.parent.township
    ids = [parent, *(view.id for view in affair.members)]
    work = partial(joins.absorbed, township=township, into=ids, most=MEMBERS_MAX, reach=caller.reach)
    stubs = [state.id for state in await snapshot(services.engine, work)]

    def change(writing: Writing, state: RecordState) -> Change | None:
        day = datetime.fromtimestamp(writing.now_ms / 1000, SHANGHAI).date().isoformat()
        said = {
            "text": answer.text.strip(),
            "channel": answer.channel,
            "by": answer.by or caller.name,
            "on": day,
        }
        values = {name: value for name, value in said.items() if value}
        entry = derived_id("answer", key, state.id)
        put = Put("answers", entry, msgspec.Raw(msgspec.json.encode(values)))
        return msgspec.structs.replace(_change(writing, state, None), ops=(put,))

    await _for_each(services, caller, township, (key, [*ids, *stubs]), change)
    return await get(services, caller, parent)


async def get(services: Services, caller: Caller, parent: str) -> Affair:
    """A parent and the members of it that the caller reaches."""
    township, state = await find(services, caller, parent)
    await services.registry.ensure()
    veil = veil_for(services, caller, state.kind)
    work = partial(affairs.members, township=township, parent=parent, most=MEMBERS_MAX, reach=caller.reach)
    found = await snapshot(services.engine, work)
    return Affair(record_view(township, state, veil), [record_view(township, one, veil) for one in found])


async def named(services: Services, caller: Caller, numbers: Sequence[str]) -> list[RecordView]:
    """The matters of these registration numbers, in one township; declines numbers that are not found."""
    wanted = list(dict.fromkeys(number.strip() for number in numbers if number.strip()))
    if not 1 <= len(wanted) <= MEMBERS_MAX or any("\0" in number for number in wanted):
        raise _refused(f"请填 1 至 {MEMBERS_MAX} 个登记编号", f"1 to {MEMBERS_MAX} registration numbers")
    await services.registry.ensure()
    for township in caller.townships:
        work = partial(affairs.numbered, township=township, numbers=wanted, reach=caller.reach)
        found = {state.number: state for state in await snapshot(services.engine, work)}
        if found:
            missing = [number for number in wanted if number not in found]
            if missing:
                raise _refused(f"查无：{'、'.join(missing[:5])}", f"not found: {', '.join(missing[:5])}")
            veil = veil_for(services, caller, KIND)
            return [record_view(township, found[number], veil) for number in wanted]
    raise _refused("查无这些编号", "not found")


def _refused(zh: str, en: str) -> Declined:
    return invalid("numbers", en, detail_zh=zh)


async def _for_each(
    services: Services, caller: Caller, township: str, what: tuple[str, list[str]], change: Making
) -> None:
    """One change of each record, all by one push; those that came before by the same key are left out."""
    key, ids = what
    checked_key(key)
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> None:
        writing = await open_writing(connection, services, caller, township, now_ms)
        states = await records.reached(connection, township, ids, caller.reach)
        if set(states) != set(ids):
            raise Declined("not_found")
        made = {derived_id("affair", caller.id, key, name): name for name in ids}
        known = await changes.by_ids(connection, township, sorted(made))
        wanted = [
            msgspec.structs.replace(one, id=change_id)
            for change_id, name in made.items()
            if change_id not in known and (one := change(writing, states[name])) is not None
        ]
        if wanted:
            await admit_all(writing, wanted)

    await services.write(township, work)


def _change(
    writing: Writing, state: RecordState, reason: str | None, fields: dict[str, Any] | None = None
) -> Change:
    shape = latest_shape(writing.services, state.kind)
    return Change(
        id="",
        record=state.id,
        kind=state.kind,
        version=shape.kind.version,
        n=1,
        at=writing.now_ms,
        mark=writing.now_ms,
        base=state.version,
        fields=msgspec.Raw(msgspec.json.encode(fields or {})),
        reason=reason or None,
    )
