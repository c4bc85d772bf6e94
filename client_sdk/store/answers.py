"""A server's answer, applied as one local transaction: verdicts, page and cursor, profile, and its orders.

Verdicts come before the page, because the page is read after them: what it brings covers them.
"""

from collections.abc import Callable, Sequence

from client_sdk.store import erasing, kept, keys, locks, meta, news, pages, problems, queue
from client_sdk.store.database import Tx
from client_sdk.store.meta import Contact
from client_sdk.store.store import Store
from sync_protocol.erasing import ERASED
from sync_protocol.messages import SyncAnswer, Verdict
from sync_protocol.registration import Claim
from sync_protocol.session_steps import Applied


def apply_answer(
    store: Store,
    answer: SyncAnswer,
    sent: Sequence[str],
    device_ms: int,
    through: int | None,
    new_epoch: Callable[[], str],
) -> Applied:
    """Applies an answer to the request that carried the changes `sent`; durable on return, or nothing happened."""
    with store.inner.write() as tx:
        meta.put_contact(tx, Contact(answer.now, device_ms))
        locks.met(tx, store.running())
        if answer.serial is not None:
            meta.put(tx, meta.SERIAL, max(answer.serial, meta.integer(tx, meta.SERIAL)))
        if answer.key is not None:
            keys.taken(tx, answer.key, answer.now)
        offered = _offer(tx, answer)
        _verdicts(tx, answer, sent)
        if answer.cursor_refused is not None:
            meta.forget(tx, meta.CURSOR)
        if answer.cursor is not None:
            meta.put(tx, meta.CURSOR, answer.cursor)
        if answer.profile is not None:
            meta.put_profile(tx, answer.profile)
        turned = pages.Turned()
        if answer.page is not None:
            turned = pages.apply_page(tx, answer.page, store.kinds(tx), answer.now)
        anew = answer.fork or offered
        if answer.send_from is not None and not anew:
            anew = not queue.again_from(tx, answer.send_from)
        if anew:
            store.fork(tx, new_epoch())
        queue.expire(tx, answer.now)
        kept.seal_what_left(tx)
        if answer.revoked:
            # Its worker gets nothing to see any more, and nobody comes back to a draft: all of it is handed in.
            locks.revoke(tx)
            queue.release_all(tx)
            through = None
        left, _ = queue.waiting(tx, through)
    return Applied(left, turned.received, turned.removed, tuple(turned.changed), turned.reread)


def _offer(tx: Tx, answer: SyncAnswer) -> bool:
    """After a restore of the server: what it had acknowledged waits again, before everything else.

    It is numbered anew in an epoch of its own, because it has to go before what is queued already.
    """
    if answer.offer_above is None:
        return False
    now = {verdict.id for verdict in answer.verdicts}
    return queue.offer(tx, answer.offer_above, now) > 0


def _verdicts(tx: Tx, answer: SyncAnswer, sent: Sequence[str]) -> None:
    for verdict in answer.verdicts:
        _verdict(tx, verdict, answer.now)
    for unread in answer.unanswered:
        if 0 <= unread.index < len(sent):
            _verdict(tx, Verdict(sent[unread.index], "quarantined", code=unread.code), answer.now)


def _verdict(tx: Tx, verdict: Verdict, now_ms: int) -> None:
    """Ends the entry of one change. A verdict for a change that is not in the queue says nothing new."""
    found = queue.standing(tx, verdict.id)
    if found is None or found.status != queue.QUEUED:
        return
    held = (
        verdict.result == "quarantined" and not found.sealed
    )  # of what left long ago its author knows nothing more
    status = queue.QUARANTINED if held else queue.ACKNOWLEDGED
    problems.forget(tx, verdict.id)  # of a change that was offered again after a restore
    erased = verdict.result == ERASED
    queue.answered(tx, verdict.id, status, verdict.result, verdict.n, now_ms, lies=not erased)
    if erased:
        erasing.let_go(tx, found.record, now_ms)
        return
    _trouble(tx, verdict, now_ms)
    if verdict.number is not None:
        news.watch(tx, found.record, found.kind)
        news.numbered(tx, found.record, verdict.number, now_ms, verdict.formerly)
        if verdict.proof is not None:
            queue.registered(tx, verdict.id, Claim(verdict.number, verdict.proof))


def _trouble(tx: Tx, verdict: Verdict, now_ms: int) -> None:
    """What the worker has to know of; of a sealed change nothing, since nobody here knows what it says."""
    own = queue.get(tx, verdict.id)
    if own is not None and verdict.result == "quarantined":
        problems.quarantined(tx, own[0], verdict, now_ms)
    if own is not None and verdict.result == "conflict":
        problems.differs(tx, own[0], verdict, now_ms)
