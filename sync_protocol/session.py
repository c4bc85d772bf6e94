"""The sync of one device as a state machine without I/O: events in, actions out, in the manner of h11.

    state      event      next       because
    COLLECT    Collected  EXCHANGE   there is a request to make, even with an empty queue
    EXCHANGE   Received   APPLY      an answer of our server to this very request
    EXCHANGE   Received   WAIT       anything else that came back: it proves nothing (failures, row 5)
    EXCHANGE   Received   DONE       the server refuses this device or this version; waiting cannot help
    EXCHANGE   Broken     WAIT       the link broke; it is tried again, from the upload on (row 6)
    EXCHANGE   Broken     DONE       too many attempts without progress
    WAIT       Waited     COLLECT    always: the queue is read afresh
    APPLY      Applied    COLLECT    there is more to send, to read, or to read again
    APPLY      Applied    DONE       the queue is sent and the page complete, or nothing moves any more

Rules. Nothing leaves the queue but by a verdict inside an answer that echoes the request's nonce and comes
from the server that enrolled the device. A broken exchange halves what the next one carries, in both
directions, so that a link that is cut every few kilobytes still gets something through; each good one
doubles it again. A server that is busy halves nothing: the link is sound, and more requests would not help.
What counts as progress is a verdict, or a cursor that moved. Clock, randomness, store and link are the
driver's: it does what an action says and reports by the event named with it. One sync runs at a time on a
store; the driver holds the store's lock from `begin` to `Finish`.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from sync_protocol.codec import Malformed, encode, read_answer
from sync_protocol.messages import SyncAnswer, SyncRequest
from sync_protocol.session_report import Progress, Tally
from sync_protocol.session_steps import (
    Action,
    Applied,
    Apply,
    Broken,
    Collect,
    Collected,
    Event,
    Exchange,
    Finish,
    Received,
    Wait,
    Waited,
)
from sync_protocol.versions import CURRENT


class State(Enum):
    """Where the session stands: each names the event that it waits for."""

    COLLECT = auto()
    EXCHANGE = auto()
    APPLY = auto()
    WAIT = auto()
    DONE = auto()


class Policy(msgspec.Struct, frozen=True):
    """Sizes and patience. Sizes in bytes before compression, times in seconds."""

    changes_max: int = 200
    batch_bytes_max: int = 256 * 2**10
    page_bytes_max: int = 512 * 2**10
    page_bytes_min: int = 1_024
    attempts_max: int = 5
    """Exchanges in a row without progress after which the session gives up for now."""
    retry_delay_s: float = 0.5
    retry_delay_max_s: float = 30.0
    retry_after_max_s: float = 60.0
    """A server that asks for more patience than this is asked again by the next sync."""
    rereads_max: int = 2


_EXPECTED: Final[dict[State, tuple[type, ...]]] = {
    State.COLLECT: (Collected,),
    State.EXCHANGE: (Received, Broken),
    State.APPLY: (Applied,),
    State.WAIT: (Waited,),
    State.DONE: (),
}
_FINAL: Final = {
    "unauthorised": "not_enrolled",
    "signature_invalid": "not_enrolled",
    "unsupported_protocol": "unsupported_protocol",
    "malformed": "malformed",
    "forbidden": "forbidden",
    "not_found": "not_found",
}
"""Refusals that come again however often one asks, and the failure that each means."""
_BUSY: Final = frozenset({429, 503})


class _Problem(msgspec.Struct):
    code: str = ""


class UnexpectedEvent(RuntimeError):  # noqa: N818 (the event is unexpected)
    """The driver reported an event that the state does not expect: a bug of the driver."""


class SyncSession:
    """One sync. `begin()` gives the first action; `handle(event)` the next, until Finish."""

    def __init__(self, policy: Policy | None = None, reread: tuple[str, ...] = ()) -> None:
        """Starts with full batches and pages; `reread` are grids that are known to differ."""
        self.policy: Final = policy or Policy()
        self.state = State.COLLECT
        self.tally: Final = Tally()
        self._changes_max = self.policy.changes_max
        self._bytes_max = self.policy.batch_bytes_max
        self._page_bytes = self.policy.page_bytes_max
        self._attempts = 0
        self._rereads = 0
        self._reread = reread
        self._through: int | None = None
        self._asked: Collected | None = None
        self._answer: SyncAnswer | None = None

    def begin(self) -> Action:
        """The first action."""
        return self._collect()

    def handle(self, event: Event) -> Action:
        """The next action. Raises UnexpectedEvent for an event that the state has no use for."""
        if not isinstance(event, _EXPECTED[self.state]):
            message = f"{type(event).__name__} in state {self.state.name}"
            raise UnexpectedEvent(message)
        match event:
            case Collected():
                return self._exchange(event)
            case Received():
                self.tally.bytes_travelled(event.bytes_up, event.bytes_down)
                return self._judge(event)
            case Broken():
                self.tally.bytes_travelled(event.bytes_up, event.bytes_down)
                return self._again(event.reason, event.random, event.retry_after_s)
            case Applied():
                return self._applied(event)
            case Waited():
                return self._collect()

    @property
    def progress(self) -> Progress:
        """How far it is, in numbers whose totals are known."""
        return self.tally.progress(self.state.name.lower())

    def _collect(self) -> Collect:
        self.state = State.COLLECT
        return Collect(self._changes_max, self._bytes_max, self._through)

    def _exchange(self, event: Collected) -> Exchange:
        self._asked, self._through = event, event.through if self._through is None else self._through
        self.tally.collected(
            event.left, event.left_bytes, len(event.changes), sum(map(len, map(bytes, event.changes)))
        )
        request = SyncRequest(
            protocol=CURRENT,
            nonce=event.nonce,
            epoch=event.epoch,
            now=event.now,
            changes=list(event.changes),
            lowest=event.lowest,
            queued=event.queued,
            cursor=event.cursor,
            profile=event.profile,
            reread=self._reread,
            page_bytes=self._page_bytes,
            client=event.client,
            numbers=event.numbers,
            offer=event.offer,
        )
        self.state = State.EXCHANGE
        return Exchange(encode(request))

    def _judge(self, event: Received) -> Action:
        """Our server's answer to this request goes to the store; a refusal ends; the rest proves nothing."""
        asked = self._asked
        if event.status != 200:  # noqa: PLR2004 (HTTP's word for success)
            code = _refusal(event)
            if code in _FINAL:
                return self._finish(_FINAL[code], code)
            return self._again(
                code or f"http_{event.status}", event.random, event.retry_after_s, busy=event.status in _BUSY
            )
        try:
            answer = read_answer(event.body)
        except Malformed:
            return self._again("not_an_answer", event.random, event.retry_after_s)
        if asked is None or answer.nonce != asked.nonce:
            return self._again("other_answer", event.random, event.retry_after_s)
        if answer.server.rpartition(":")[0] != asked.server:
            return self._again("other_server", event.random, event.retry_after_s)
        self._answer = answer = lasting(answer)
        self.state = State.APPLY
        return Apply(answer, asked.ids)

    def _again(
        self, reason: str, random: float, retry_after_s: float | None, *, busy: bool = False
    ) -> Action:
        """A pause that grows, with jitter, then the upload again; or the end, after too many in a row."""
        policy = self.policy
        self._attempts += 1
        self.tally.broken(reason)
        if self._attempts >= policy.attempts_max or (retry_after_s or 0) > policy.retry_after_max_s:
            return self._stop(reason)
        if not busy:
            self._shrink()
        delay = min(policy.retry_delay_max_s, policy.retry_delay_s * 2.0 ** (self._attempts - 1))
        self.state = State.WAIT
        # Never before the time that was asked for; and after it not all at once, whatever the server said.
        return Wait(max(delay * (0.5 + random / 2), (retry_after_s or 0.0) * (1 + random / 2)), reason)

    def _shrink(self) -> None:
        """Halves what the next exchange carries."""
        sent = len(self._asked.changes) if self._asked is not None else 0
        self._changes_max = max(1, min(self._changes_max, sent or self._changes_max) // 2)
        self._bytes_max = max(1, self._bytes_max // 2)
        self._page_bytes = max(self.policy.page_bytes_min, self._page_bytes // 2)

    def _applied(self, event: Applied) -> Action:
        asked, answer = self._asked, self._answer
        if asked is None or answer is None:
            message = "Applied without an answer"
            raise UnexpectedEvent(message)
        self.tally.applied(answer, event.received, event.removed, event.changed, event.left)
        moved = answer.page is not None and (answer.page.cursor != asked.cursor or bool(self._reread))
        self._reread = ()
        if moved or answer.verdicts or answer.unanswered:
            self._attempts = 0
            self._grow()
        else:
            self._attempts += 1
        return self._next(event, answer)

    def _next(self, event: Applied, answer: SyncAnswer) -> Action:
        """What is left to do after an answer was applied."""
        page, tired = answer.page, self._attempts >= self.policy.attempts_max
        turned = answer.fork or answer.send_from is not None or answer.offer_above is not None
        if answer.revoked and (not event.left or tired):
            return self._finish("revoked_device", "revoked")
        if tired:
            return self._stop("no_progress")
        if event.left or turned or answer.revoked or page is None or not page.complete:
            return self._collect()
        if event.reread and self._rereads < self.policy.rereads_max:
            self._rereads += 1
            self._reread = event.reread
            self.tally.reread(event.reread)
            return self._collect()
        if event.reread:
            return self._stop("digest_differs")
        return self._done(Finish(self.tally.report(complete=True)))

    def _grow(self) -> None:
        policy = self.policy
        self._changes_max = min(policy.changes_max, self._changes_max * 2)
        self._bytes_max = min(policy.batch_bytes_max, self._bytes_max * 2)
        self._page_bytes = min(policy.page_bytes_max, self._page_bytes * 2)

    def _stop(self, reason: str) -> Finish:
        """The end before everything was done: offline when nothing was exchanged, else a report."""
        if not self.tally.round_trips:
            return self._finish("offline", reason)
        return self._done(Finish(self.tally.report(complete=False, stopped_by=reason)))

    def _finish(self, failure: str, reason: str) -> Finish:
        return self._done(Finish(self.tally.report(complete=False, stopped_by=reason), failure, reason))

    def _done(self, finish: Finish) -> Finish:
        self.state = State.DONE
        return finish


def lasting(answer: SyncAnswer) -> SyncAnswer:
    """An answer with the verdicts that end a change. To an old serial there are none: it brings no cursor.

    Only a cursor tells a server that was restored from a backup what it has forgotten (docs/protocol.md, section
    15). So the change is sent once more above the serial that the answer names, and gets its verdict again.
    """
    return answer if answer.serial is None else msgspec.structs.replace(answer, verdicts=[], unanswered=[])


def _refusal(event: Received) -> str:
    """The code of a problem document (RFC 9457); empty for anything else."""
    if event.content_type.partition(";")[0].strip().lower() != "application/problem+json":
        return ""
    try:
        return msgspec.json.decode(event.body, type=_Problem).code
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
