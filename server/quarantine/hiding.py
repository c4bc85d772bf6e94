"""Which quarantined changes a caller may not see: those of restricted matters, whether they exist yet or not.

A change in quarantine may be the very one that would restrict a matter, or belong to one whose create waits
here too. So what changes say counts as much as what stands.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from server.reach import Reach
from server.records.views import change_of
from server.storage import changes, records
from server.storage.changes import Stored
from sync_protocol.changes import fields_of
from sync_protocol.state import RESTRICTED

_UNDECODED: Final = b"restricted"


async def hidden_of(
    connection: AsyncConnection, reach: Reach, township: str, rows: Sequence[Stored]
) -> set[str]:
    """The ids of those of these changes that lie outside a reach. Quarantine is for whole townships."""
    if reach.restricted:
        return set()
    wanted = sorted({row.record_id for row in rows if row.record_id is not None})
    known = await records.by_ids(connection, township, wanted)
    unknown = [record for record in wanted if record not in known]
    secret = {record for record, state in known.items() if state.restricted}
    for row in await changes.of_records(connection, township, unknown) if unknown else []:
        if says_restricted(row):
            secret.add(row.record_id or "")
    return {row.change_id for row in rows if row.record_id in secret or says_restricted(row)}


def says_restricted(row: Stored) -> bool:
    """Whether a change would restrict its record; of what cannot be decoded, whether it speaks of it at all."""
    change = change_of(row)
    if change is None:
        return _UNDECODED in row.payload
    return fields_of(change).get(RESTRICTED) is True
