"""Taking a decision back: the value that stood before it is written again, by an ordinary change.

The conflict stays decided, and the history says both; who decided otherwise later is not overwritten.
"""

from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.conflicts import service
from server.conflicts.deciding import Decision, decision_change
from server.conflicts.views import ConflictDetail
from server.declined import Declined, invalid
from server.reach import Caller
from server.records.editing import check_seen
from server.records.views import change_of
from server.records.writing import (
    Target,
    admit,
    checked_key,
    latest_shape,
    open_writing,
    record_of,
    request_id,
)
from server.services import Services
from server.storage import changes, conflicts
from server.storage.changes import Stored
from server.storage.conflicts import DECIDED
from server.storage.engine import snapshot
from server.sync.pasts import past_of
from sync_protocol.history import Effect


async def undo(services: Services, caller: Caller, target: Target, reason: str) -> ConflictDetail:
    """The conflict after its decision was taken back; declines where that wrote nothing, or something came after."""
    checked_key(target.key)
    shown = await service.get(services, caller, target.thing)
    township, now_ms = shown.township, services.clock()
    change_id = request_id(services, caller, target, msgspec.json.encode(["undo", reason]), now_ms)

    async def work(connection: AsyncConnection) -> None:
        writing = await open_writing(connection, services, caller, township, now_ms)
        if change_id in await changes.by_ids(connection, township, [change_id]):
            return
        conflict = await conflicts.by_id(connection, township, target.thing)
        if conflict is None or conflict.status != DECIDED or conflict.decision is None:
            raise _nothing("只能撤回已作的核对", "only a decision is taken back")
        row = (await changes.by_ids(connection, township, [conflict.decision])).get(conflict.decision)
        effect = _effect(row, conflict.path)
        if row is None or effect is None:
            raise _nothing("这次核对没有改动内容，无需撤回", "the decision changed nothing")
        state = await record_of(connection, township, conflict.record_id, caller.reach)
        check_seen(state, row.n, conflict.path)
        shape = latest_shape(services, state.kind)
        decision = Decision("", conflict.path, effect.before, reason or None)
        change = decision_change(decision, state, shape, now_ms)
        await admit(writing, msgspec.structs.replace(change, id=change_id, decides=None))

    await services.write(township, work)
    return await service.get(services, caller, target.thing)


async def can_be_undone(services: Services, shown: ConflictDetail) -> bool:
    """Whether a decision wrote something that still stands."""
    if shown.decision is None:
        return False
    work = partial(changes.by_ids, township=shown.township, ids=[shown.decision])
    row = (await snapshot(services.engine, work)).get(shown.decision)
    return row is not None and shown.stands_since == row.n and _effect(row, shown.path) is not None


def _nothing(zh: str, en: str) -> Declined:
    return invalid("conflict", en, "not_permitted", detail_zh=zh)


def _effect(row: Stored | None, path: str) -> Effect | None:
    if row is None or change_of(row) is None:
        return None
    past = past_of(row)
    return next((one for one in past.effects if one.path == path), None) if past is not None else None
