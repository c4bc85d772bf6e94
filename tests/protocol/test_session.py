"""The sync session, fed by hand: answers cut at every byte, answers of others, partitions of every length."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.codec import encode, read_request
from sync_protocol.messages import Page, SyncAnswer, SyncRequest, Unanswered, Verdict
from sync_protocol.session import Policy, State, SyncSession, UnexpectedEvent
from sync_protocol.session_report import Progress
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

EPOCH = "01920000-0000-7000-8000-000000000001"
SERVER = "township-a"
JSON = "application/json"
Judge = Callable[[SyncRequest], SyncAnswer]


@dataclass
class Device:
    """A driver without a store: a queue of ids, and what the actions asked for."""

    queue: list[str]
    answer: Callable[[bytes], Event]
    policy: Policy = field(default_factory=Policy)
    cursor: str | None = None
    waits: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    applied: list[SyncAnswer] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    reread: tuple[str, ...] = ()
    reread_for_ever: bool = False
    saved_meanwhile: list[str] = field(default_factory=list)
    through: int = 0

    def sync(self) -> Finish:
        session = SyncSession(self.policy)
        action: Action = session.begin()
        while not isinstance(action, Finish):
            action = session.handle(self._do(action))
            self.progress.append(session.progress)
        assert session.state is State.DONE
        return action

    def _do(self, action: Action) -> Event:
        match action:
            case Collect():
                return self._collect(action)
            case Exchange():
                self.bodies.append(action.body)
                self.queue += self.saved_meanwhile
                self.saved_meanwhile = []
                return self.answer(action.body)
            case Apply():
                return self._apply(action)
            case Wait():
                self.waits.append(action.seconds)
                return Waited()
            case Finish():
                raise AssertionError

    def _collect(self, action: Collect) -> Collected:
        self.through = max(map(place, self.queue), default=0) if action.through is None else action.through
        batch = self.queue[: action.changes_max]
        self.sizes.append(len(batch))
        return Collected(
            nonce=f"nonce-{len(self.bodies)}",
            server=SERVER,
            epoch=EPOCH,
            now=0,
            lowest=1,
            queued=len(self.queue),
            left=self._left(),
            left_bytes=10 * len(self.queue),
            through=self.through,
            cursor=self.cursor,
            profile=None,
            ids=tuple(batch),
            changes=tuple(msgspec.Raw(msgspec.json.encode(id_)) for id_ in batch),
        )

    def _apply(self, action: Apply) -> Applied:
        self.applied.append(action.answer)
        done = {verdict.id for verdict in action.answer.verdicts}
        done |= {action.sent[one.index] for one in action.answer.unanswered}
        self.queue = [id_ for id_ in self.queue if id_ not in done]
        if action.answer.page is not None:
            self.cursor = action.answer.page.cursor
        reread, self.reread = self.reread, self.reread if self.reread_for_ever else ()
        return Applied(self._left(), received=1, reread=reread)

    def _left(self) -> int:
        return sum(place(id_) <= self.through for id_ in self.queue)


def place(id_: str) -> int:
    return int(id_[1:]) + 1


def received(body: bytes, status: int = 200, content_type: str = JSON, **more: float) -> Received:
    return Received(status, content_type, body, 100, len(body), 0.5, **more)


def whole(request: SyncRequest, **changed: object) -> SyncAnswer:
    """The answer of a server that takes everything and has nothing to send."""
    ids = [msgspec.json.decode(raw, type=str) for raw in request.changes]
    verdicts = [Verdict(id_, "applied", n) for n, id_ in enumerate(ids, 1)]
    cursor = f"{request.cursor or ''}{len(ids)}."
    answer = SyncAnswer(CURRENT, request.nonce, f"{SERVER}:1", 5, verdicts, page=Page(cursor, complete=True))
    return msgspec.structs.replace(answer, **changed)


def server(judge: Judge = whole) -> Callable[[bytes], Event]:
    return lambda body: received(encode(judge(read_request(body))))


def then(*events: Event | None) -> Callable[[bytes], Event]:
    """A link that gives these events first (None: the whole answer), and works afterwards."""
    coming: Iterator[Event | None] = iter(events)
    link = server()
    return lambda body: next(coming, None) or link(body)


def test_a_queue_that_fits_takes_one_round_trip() -> None:
    device = Device([f"c{n}" for n in range(200)], server())
    finish = device.sync()
    assert finish.failure is None
    assert finish.report.complete
    assert (finish.report.round_trips, finish.report.sent, finish.report.applied) == (1, 200, 200)
    assert device.queue == []


def test_an_empty_queue_still_reads() -> None:
    finish = Device([], server()).sync()
    assert (finish.report.round_trips, finish.report.complete) == (1, True)


def test_row_19_a_large_queue_goes_in_batches_with_known_totals() -> None:
    """Failures, row 19: progress in changes and bytes of known totals, which never goes back."""
    device = Device([f"c{n}" for n in range(450)], server())
    device.sync()
    assert device.sizes == [200, 200, 50]
    assert {progress.changes_total for progress in device.progress} == {450}
    done = [progress.changes_done for progress in device.progress]
    assert done == sorted(done)
    assert done[-1] == 450
    assert all(before.bytes_done <= after.bytes_done for before, after in pairwise(device.progress))
    assert all(progress.bytes_done <= progress.bytes_total for progress in device.progress)


def test_an_answer_cut_at_every_byte_proves_nothing() -> None:
    """Failures, row 5: whatever part of an answer arrives, nothing leaves the queue by it."""
    first = encode(whole(SyncRequest(CURRENT, "nonce-1", EPOCH, 0, changes=[msgspec.Raw(b'"c0"')])))
    for end in range(len(first)):
        device = Device(["c0"], then(received(first[:end])), Policy(attempts_max=1))
        finish = device.sync()
        assert (finish.failure, device.queue, device.applied) == ("offline", ["c0"], []), end


@given(st.binary(max_size=300))
def test_bytes_that_are_no_answer_leave_the_queue_alone(body: bytes) -> None:
    device = Device(["c0"], then(received(body)), Policy(attempts_max=1))
    assert device.sync().failure == "offline"
    assert device.queue == ["c0"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (received(b"<html>Welcome to our free wifi</html>", content_type="text/html"), "not_an_answer"),
        (received(b"{}"), "not_an_answer"),
        (received(b"", 302), "http_302"),
        (received(b"oops", 502), "http_502"),
        (Broken("no_connection", 0.5), "no_connection"),
    ],
)
def test_what_is_no_answer_is_tried_again(event: Event, reason: str) -> None:
    """Failures, row 5: a captive portal answers 200 and has received nothing."""
    device = Device(["c0"], then(event), Policy(attempts_max=1))
    finish = device.sync()
    assert (finish.failure, finish.reason) == ("offline", reason)
    again = Device(["c0"], then(event))
    assert again.sync().report.complete
    assert len(again.bodies) == 2


def test_an_answer_to_another_request_is_none() -> None:
    device = Device(["c0"], server(lambda r: whole(r, nonce="another")), Policy(attempts_max=2))
    assert device.sync().reason == "other_answer"
    assert device.queue == ["c0"]


def test_an_answer_of_another_server_is_none() -> None:
    device = Device(["c0"], server(lambda r: whole(r, server="township-b:1")), Policy(attempts_max=2))
    assert device.sync().reason == "other_server"
    assert device.queue == ["c0"]


def test_the_server_may_open_another_epoch() -> None:
    device = Device(["c0"], server(lambda r: whole(r, server=f"{SERVER}:2")))
    assert device.sync().report.complete


@pytest.mark.parametrize("length", range(12))
def test_row_6_a_retry_enters_the_upload_again_after_a_partition_of_any_length(length: int) -> None:
    """Failures, row 6: the upload never dies of a failure; what one call gave up, the next takes up."""
    device = Device(["c0", "c1"], then(*[Broken("cut", 0.5)] * length))
    calls = 1
    finish = device.sync()
    while finish.failure == "offline":
        calls += 1
        finish = device.sync()
    assert finish.report.complete
    assert device.queue == []
    assert calls == 1 + length // Policy().attempts_max
    assert len(device.bodies) >= length + 1


def test_pauses_grow_with_jitter_up_to_a_bound() -> None:
    policy = Policy(attempts_max=9)
    device = Device(["c0"], then(*[Broken("cut", 0.0)] * 8), policy)
    device.sync()
    assert device.waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_a_server_that_asks_for_patience_gets_it() -> None:
    for status in (429, 503):
        device = Device(["c0"], then(received(b"", status, retry_after_s=7.0)))
        assert device.sync().report.complete
        assert device.waits == [pytest.approx(7.0 * 1.25)]  # never sooner, and not all at once
    in_a_hurry = msgspec.structs.replace(received(b"", 503, retry_after_s=7.0), random=0.0)
    device = Device(["c0"], then(in_a_hurry))
    assert device.sync().report.complete
    assert device.waits == [7.0]
    asks_too_much = Device(["c0"], then(received(b"", 503, retry_after_s=3600.0)))
    assert asks_too_much.sync().failure == "offline"


def test_a_busy_server_does_not_halve_what_is_carried() -> None:
    """The link is sound: the same queue in more requests would make a busy server busier."""
    device = Device([f"c{n}" for n in range(8)], then(received(b"", 503, retry_after_s=1.0)))
    assert device.sync().report.complete
    assert device.sizes[:2] == [8, 8]
    pages = [read_request(body).page_bytes for body in device.bodies]
    assert pages[:2] == [Policy().page_bytes_max] * 2
    slow = Device([f"c{n}" for n in range(8)], then(received(b"", 408)))
    assert slow.sync().report.complete
    assert slow.sizes[:2] == [8, 4]


def test_progress_makes_the_count_of_attempts_start_again() -> None:
    broken = Broken("cut", 0.5)
    events = [*[broken] * 4, None, *[broken] * 4, None, *[broken] * 4]
    device = Device([f"c{n}" for n in range(60)], then(*events), Policy(changes_max=20))
    finish = device.sync()
    assert (finish.failure, finish.report.complete) == (None, True)


def test_row_16_a_broken_exchange_halves_what_the_next_one_carries() -> None:
    """A link that is cut every few kilobytes still gets something through (failures, row 16)."""

    def cut_above(limit: int) -> Callable[[bytes], Event]:
        link = server()
        return lambda body: link(body) if len(read_request(body).changes) <= limit else Broken("cut", 0.5)

    device = Device([f"c{n}" for n in range(100)], cut_above(13), Policy(attempts_max=6))
    finish = device.sync()
    assert finish.report.complete
    assert finish.report.sent == 100
    assert max(device.sizes) == 100
    assert min(size for size in device.sizes if size) <= 13
    pages = [read_request(body).page_bytes for body in device.bodies]
    assert pages[1] == pages[0] // 2


def test_a_single_change_is_always_sent() -> None:
    device = Device(["c0"], then(*[Broken("cut", 0.5)] * 4))
    assert device.sync().report.complete
    assert set(device.sizes) == {1}


def test_when_something_was_exchanged_the_report_says_what_stopped_it() -> None:
    events = [None, *[Broken("cut", 0.5)] * 9]
    device = Device(["c0", "c1"], then(*events), Policy(changes_max=1))
    finish = device.sync()
    assert finish.failure is None
    assert (finish.report.complete, finish.report.stopped_by, finish.report.sent) == (False, "cut", 1)
    assert device.queue == ["c1"]


def test_what_is_saved_during_a_sync_stays_in_the_queue_for_the_next() -> None:
    """Failures, row 15."""
    device = Device(["c0"], server(), saved_meanwhile=["c1"])
    finish = device.sync()
    assert finish.report.sent == 1
    assert device.queue == ["c1"]


def test_only_verdicts_count_not_what_was_sent() -> None:
    def half(request: SyncRequest) -> SyncAnswer:
        answer = whole(request)
        return msgspec.structs.replace(answer, verdicts=answer.verdicts[:1])

    device = Device(["c0", "c1", "c2"], server(half))
    finish = device.sync()
    assert finish.report.complete
    assert (finish.report.sent, finish.report.round_trips) == (3, 3)


def test_a_server_that_never_answers_a_change_does_not_hold_the_sync_for_ever() -> None:
    silent = server(lambda r: whole(r, verdicts=[], page=Page("c", complete=True)))
    finish = Device(["c0"], silent).sync()
    assert (finish.report.complete, finish.report.stopped_by) == (False, "no_progress")


@pytest.mark.parametrize("turn", [{"send_from": 1}, {"fork": True}, {"serial": 9}, {"offer_above": 3}])
def test_a_turn_is_taken_at_once_and_a_bounded_number_of_times(turn: dict[str, object]) -> None:
    """A gap, a fork, an old serial, a restored server: the store is told, and the queue is sent again."""
    turned = [True]

    def once(request: SyncRequest) -> SyncAnswer:
        if turned and turned.pop():
            return whole(request, verdicts=[], page=None, **turn)
        return whole(request)

    device = Device(["c0"], server(once))
    finish = device.sync()
    assert (finish.report.complete, finish.report.round_trips, device.waits) == (True, 2, [])

    def always(request: SyncRequest) -> SyncAnswer:
        return whole(request, verdicts=[], page=None, **turn)

    stuck = Device(["c0"], server(always)).sync()
    assert stuck.report.stopped_by == "no_progress"


def test_a_revoked_device_hands_in_its_whole_queue_first() -> None:
    """Failures, row 8."""

    def revoked(request: SyncRequest) -> SyncAnswer:
        return whole(request, revoked=True, page=None)

    device = Device([f"c{n}" for n in range(5)], server(revoked), Policy(changes_max=2))
    finish = device.sync()
    assert finish.failure == "revoked_device"
    assert device.queue == []
    assert len(device.bodies) == 3


def test_pages_are_read_until_they_are_complete() -> None:
    def pages(request: SyncRequest) -> SyncAnswer:
        at = len(request.cursor or "")
        return whole(request, page=Page("c" * (at + 1), complete=at == 3))

    device = Device([], server(pages))
    assert device.sync().report.round_trips == 4


def test_grids_whose_digests_differ_are_read_again_twice_at_most() -> None:
    device = Device([], server(lambda r: whole(r, page=Page((r.cursor or "") + "x", complete=True))))
    device.reread = ("321283104203001",)
    finish = device.sync()
    assert finish.report.complete
    assert finish.report.reread == ("321283104203001",)
    assert [read_request(body).reread for body in device.bodies] == [(), ("321283104203001",)]

    stubborn = Device([], server(), reread=("g",), reread_for_ever=True)
    finish = stubborn.sync()
    assert (finish.report.complete, finish.report.stopped_by) == (False, "digest_differs")
    assert len(stubborn.bodies) == 3


def test_what_could_not_even_be_read_counts_as_quarantined() -> None:
    device = Device(
        ["c0"], server(lambda r: whole(r, verdicts=[], unanswered=[Unanswered(0, "unreadable", "k")]))
    )
    finish = device.sync()
    assert (finish.report.quarantined, finish.report.sent, device.queue) == (1, 1, [])


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("unauthorised", "not_enrolled"),
        ("signature_invalid", "not_enrolled"),
        ("unsupported_protocol", "unsupported_protocol"),
        ("malformed", "malformed"),
    ],
)
def test_a_refusal_that_waiting_cannot_help_ends_at_once(code: str, failure: str) -> None:
    body = msgspec.json.encode({"code": code, "title": "x"})
    device = Device(["c0"], then(received(body, 401, "application/problem+json; charset=utf-8")))
    finish = device.sync()
    assert (finish.failure, device.waits, device.queue) == (failure, [], ["c0"])


def test_any_other_problem_document_is_tried_again() -> None:
    body = msgspec.json.encode({"code": "too_large_request"})
    device = Device(["c0", "c1"], then(received(body, 413, "application/problem+json")))
    assert device.sync().report.complete
    assert device.sizes[:2] == [2, 1]


@pytest.mark.parametrize("event", [Waited(), Applied(0), Broken("cut", 0.0)])
def test_an_event_out_of_place_is_an_error_of_the_driver(event: Event) -> None:
    session = SyncSession()
    session.begin()
    with pytest.raises(UnexpectedEvent):
        session.handle(event)


def test_results_are_counted_by_their_names() -> None:
    def judged(request: SyncRequest) -> SyncAnswer:
        results = ["applied", "merged", "conflict", "quarantined", "erased"]
        verdicts = [Verdict(f"c{n}", result, n, duplicate=n == 1) for n, result in enumerate(results)]
        return whole(request, verdicts=verdicts)

    report = Device([f"c{n}" for n in range(5)], server(judged)).sync().report
    counts = (report.applied, report.merged, report.conflicts, report.quarantined, report.erased)
    assert counts == (1, 1, 1, 1, 1)
    assert (report.sent, report.duplicates) == (5, 1)
