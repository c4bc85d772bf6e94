"""One page of the server's stream, applied in the caller's transaction together with its cursor.

The order matters: grids that come again are marked first, then what left goes, then what came is written,
then receipts, then what came again and was not in it goes. Only then the digests are compared.
"""

from dataclasses import dataclass, field

from client_sdk.store import erasing, meta, news, problems, queue, records
from client_sdk.store.database import Tx
from sync_protocol.canonical import Digest
from sync_protocol.changes import EMPTY
from sync_protocol.erasing import ERASED, EXPIRED
from sync_protocol.kinds import Kind
from sync_protocol.messages import Exit, Page, PageRecord, Receipt
from sync_protocol.overlay import apply_page_record, tells_all

_NOTHING = Digest(0, "0" * 16)
_WEIGH_EVERY_MS = 86_400_000


@dataclass(slots=True)
class Turned:
    """What a page did."""

    received: int = 0
    """Records that brought something; what only confirms own changes is not counted."""
    removed: int = 0
    changed: dict[str, None] = field(default_factory=dict)
    reread: tuple[str, ...] = ()

    def gone(self, record: str) -> None:
        """A record left this device."""
        self.removed += 1
        self.changed[record] = None


def apply_page(tx: Tx, page: Page, kinds: dict[str, Kind], now_ms: int) -> Turned:
    """Applies a page. `now_ms` is the server's clock, for the news."""
    turned = Turned()
    for grid in page.restart:
        records.mark_stale(tx, grid)
    for grid in page.drop:
        _leave(tx, records.in_grid(tx, grid), turned)
    coming = {row.id: row.n for row in page.records}
    for left in page.exits:
        _exit(tx, left, turned, now_ms)
        # It may only have moved to another grid of this device; and that its days here are over is no news.
        if coming.get(left.id, 0) <= left.n and left.why not in {ERASED, EXPIRED}:
            news.left(tx, left, now_ms)
    for row in page.records:
        _record(tx, row, kinds, turned, now_ms)
    for receipt in page.receipts:
        _receipt(tx, receipt, turned, now_ms)
    for grid in page.fresh:
        _leave(tx, records.in_grid(tx, grid, stale_only=True), turned)
    meta.put(tx, meta.CURSOR, page.cursor)
    _cover(tx, page, turned, now_ms)
    return turned


def _cover(tx: Tx, page: Page, turned: Turned, now_ms: int) -> None:
    """Ends the overlays that the page has reached, and compares digests when it is complete."""
    queue.cover(tx)
    if page.complete:
        queue.cover_all(tx)
        _leave(tx, records.outside(tx, page.digests), turned)
        turned.reread = _differing(tx, page.digests, now_ms)
    queue.give_way(tx)
    problems.settle(tx)


def _leave(tx: Tx, gone: list[str], turned: Turned) -> None:
    """Records that this device holds no longer; unsent changes stay."""
    for record in gone:
        records.remove(tx, record)
        queue.cover_record(tx, record)
        turned.gone(record)


def _exit(tx: Tx, left: Exit, turned: Turned, now_ms: int) -> None:
    if left.why == ERASED:  # no page brings it again, so nothing that is held of it is newer
        _erased(tx, left.id, turned, now_ms)
        return
    queue.cover_record(tx, left.id, left.n)
    if records.drop(tx, left.id, left.n):
        turned.gone(left.id)


def _erased(tx: Tx, record: str, turned: Turned, now_ms: int) -> None:
    if erasing.let_go(tx, record, now_ms):
        turned.gone(record)


def _record(tx: Tx, row: PageRecord, kinds: dict[str, Kind], turned: Turned, now_ms: int) -> None:
    held = records.base(tx, row.id)
    known = records.version(tx, row.id)
    stale = known is not None and known[1]
    own = [found[0] for name in row.own if (found := queue.get(tx, name)) is not None]
    whole = tells_all(row, own)
    if held is not None and not stale and row.n < held.version + (not whole):
        return  # what is whole comes again where the digest has shown a damage
    kind = kinds.get(row.kind or (held.kind if held is not None else own[0].kind if own else ""))
    before = records.view(tx, row.id, kinds) if news.watched(tx, row.id) else None
    fresh = apply_page_record(held, row, own, kind)
    if fresh is None:
        return  # nothing to apply it to; the digest of the complete page will differ and bring it whole
    records.put(tx, fresh, stale=stale and not whole)
    turned.received += not (row.own and row.fields == EMPTY and not row.entries)
    turned.changed[row.id] = None
    if before is not None:
        news.moved(tx, fresh, before.state, now_ms)


def _receipt(tx: Tx, receipt: Receipt, turned: Turned, now_ms: int) -> None:
    """What later became of an own change; each counts once, by its number."""
    if receipt.n <= meta.integer(tx, meta.RECEIPTS):
        return
    meta.put(tx, meta.RECEIPTS, receipt.n)
    if receipt.outcome == ERASED and receipt.record is not None:
        _erased(tx, receipt.record, turned, now_ms)
        return
    queue.out_of_quarantine(tx, receipt.change, receipt.n)
    problems.answered(tx, receipt)
    news.receipt(tx, receipt)


def _differing(tx: Tx, digests: dict[str, Digest], now_ms: int) -> tuple[str, ...]:
    """The grids that do not hold what the server holds of them, by what was kept or by what the records say.

    What they say is weighed once a day, and wherever something differs already: an old phone with many records
    would feel it at every sync.
    """
    differing = _unlike(records.digests(tx), digests)
    if differing or not 0 <= now_ms - meta.integer(tx, meta.WEIGHED) < _WEIGH_EVERY_MS:
        meta.put(tx, meta.WEIGHED, now_ms)
        differing |= _unlike(records.weighed(tx), digests)
    return tuple(sorted(differing))


def _unlike(own: dict[str, Digest], digests: dict[str, Digest]) -> set[str]:
    return {grid for grid, theirs in digests.items() if own.get(grid, _NOTHING) != theirs}
