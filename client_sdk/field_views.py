"""What a device shows: the reading half of FieldClient. All of it works offline."""

from collections.abc import Mapping, Sequence

import msgspec

from client_sdk import editing
from client_sdk.listing import Listing
from client_sdk.reading import Reading
from client_sdk.record import Delivery, Record
from client_sdk.store import meta, news, queue, records
from client_sdk.store.database import Tx
from client_sdk.store.queue import Entry
from client_sdk.store.store import Store
from client_sdk.syncing import not_enrolled
from client_sdk.words import News
from client_sdk.words import news as worded
from sync_protocol.canonical import Digest
from sync_protocol.errors import NotFound
from sync_protocol.kinds import Choice, Kind, Transition, code_tables
from sync_protocol.messages import Grid, Profile

_NO_RECORDS = Digest(0, "0" * 16)


class Me(msgspec.Struct, frozen=True):
    """Whose device this is."""

    id: str
    name: str
    role: str
    township: str
    township_name: str
    device: str
    duty_phone: str | None


class Views:
    """The views of a device."""

    def __init__(self, store: Store) -> None:
        """Reads from `store`."""
        self._store = store

    def get(self, record: str) -> Record:
        """A record as it is shown now; raises NotFound."""
        with self._store.read() as tx:
            found = Reading(tx, self._store).one(record)
        if found is None:
            message = "没有这条记录 / there is no such record on this device"
            raise NotFound(message)
        return found

    def list(
        self,
        kind: str | None = None,
        *,
        grid: str | None = None,
        state: str | None = None,
        delivery: Delivery | None = None,
        text: str | None = None,
    ) -> Sequence[Record]:
        """Records in the order of their ids, about that of their creation. `text` looks into numbers and texts.

        What the store holds now; each record is made when it is looked at.
        """
        with self._store.read() as tx:
            lines = Reading(tx, self._store).lines(kind, grid, text)
        return Listing(
            [one for one in lines if state in {None, one.state} and delivery in {None, one.delivery}]
        )

    def queue(self) -> Sequence[Entry]:
        """Drafts, what waits, and what is in quarantine, in the order of saving."""
        with self._store.read() as tx:
            return list(queue.entries(tx))

    def news(self) -> Sequence[News]:
        """What became of own reports since this was last asked, oldest first."""
        with self._store.write() as tx:
            items, kinds = list(news.unseen(tx)), self._store.kinds(tx)
            if items:
                news.seen(tx, items[-1].id)
            return [worded(item, kinds.get(news.kind_of(tx, item.record) or "")) for item in items]

    def digest(self) -> Mapping[str, Digest]:
        """Grid to count and digest of the records that the server has sent of it."""
        with self._store.read() as tx:
            held = records.digests(tx)
            return {**{grid.code: _NO_RECORDS for grid in _profile(tx).grids}, **held}

    def kinds(self) -> Sequence[Kind]:
        """The kinds of record that this device knows."""
        with self._store.forms() as tx:
            _profile(tx)
            return list(self._store.kinds(tx).values())

    def codes(self, table: str) -> Sequence[Choice]:
        """A code table: as the kinds of this device use it, else as it ships; raises NotFound."""
        for kind in self.kinds():
            for field in (*kind.fields.values(), *(sub for one in kind.fields.values() for sub in one.of)):
                if field.codes == table:
                    return field.choices
        shipped = code_tables().get(table)
        if shipped is None:
            message = (
                f"没有这个代码表 / there is no code table {table}; there are: {', '.join(code_tables())}"
            )
            raise NotFound(message)
        return shipped.codes

    def grids(self) -> Sequence[Grid]:
        """The grids of this device."""
        with self._store.forms() as tx:
            return _profile(tx).grids

    def me(self) -> Me:
        """Whose device this is; raises NotEnrolled."""
        with self._store.read() as tx:
            own = _profile(tx)
        worker = own.worker
        return Me(
            worker.id, worker.name, worker.role, own.township, own.township_name, own.device, own.duty_phone
        )

    def actions(self, record: Record) -> Mapping[str, Transition]:
        """The steps of the workflow that are open to this worker now, by name."""
        with self._store.read() as tx:
            reading = Reading(tx, self._store)
            return editing.actions(reading.kind(record.kind), record, reading.role)


def _profile(tx: Tx) -> Profile:
    profile = meta.profile(tx)
    if profile is None:
        raise not_enrolled()
    return profile
