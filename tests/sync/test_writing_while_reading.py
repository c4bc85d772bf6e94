"""A device that writes while it reads, against a model (G4, G5; failures, rows 7 and 29).

Over the whole service: pages name own changes instead of sending them back, answers with verdicts are lost, and
the next request sends everything again. Records change, move, leave, come back, close, reopen, are deleted and
revived meanwhile; grids are granted and revoked between two pages. At every complete page, and at the end, the
device holds exactly what the server has of its grids, by content and by digest. (tests/lanes reads only, and
goes further there.)
"""

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sync_protocol.changes import Act, Op
from tests.protocol.desk import add, drop, entry, put, remove
from tests.sync.device import Device, enrolled
from tests.sync.town import Server, Town, server_outside_the_loop

GRIDS = st.integers(0, 3)
SCOPES = st.sets(GRIDS, min_size=1, max_size=3)
PAGES = st.sampled_from([1, 150, 400, 900, 5_000])
WORDS = st.sampled_from(["x", "y", "路灯坏了" * 20])
EDITS = st.sampled_from(["subject", "entry", "new entry", "gone", "add", "remove"])
ANY = st.integers(0, 10**6)
"""Picks one of what there is."""


class Reading(RuleBasedStateMachine):
    """One device reading in tiny pages, another one and the office writing."""

    server: Server
    run: Callable[[Any], Any]
    town: Town
    device: Device
    other: Device

    @initialize(scope=SCOPES, count=st.integers(0, 6))
    def begin(self, scope: set[int], count: int) -> None:
        self.town = self.run(self.server.open())
        self.device = self.run(enrolled(self.town, 1, *self._grids(scope)))
        self.other = self.run(enrolled(self.town, 2, *self.town.grids))
        self.records: list[str] = []
        for at in range(count):
            self._create(self.town.grids[at % 4])
        self.synced = 0

    def _grids(self, scope: set[int]) -> tuple[str, ...]:
        return tuple(self.town.grids[at] for at in sorted(scope))

    def _create(self, place: str) -> None:
        fields = {"subject": "new", "tags": ["a"], "steps": {entry(1): {"words": "one"}}}
        change = self.town.change(self.town.fresh_id(), do="create", place=place, fields=fields)
        self.run(self.town.office(change))
        self.records.append(change.record)

    def _one(self, pick: int) -> str:
        return self.records[pick % len(self.records)]

    # --- the world moves ------------------------------------------------------------------------------------

    @rule(grid=GRIDS)
    def create(self, grid: int) -> None:
        self._create(self.town.grids[grid])

    @precondition(lambda self: self.records)
    @rule(pick=ANY, words=WORDS, what=EDITS)
    def edit(self, pick: int, words: str, what: str) -> None:
        self._edit(self._one(pick), words, what)

    def _edit(self, record: str, words: str, what: str) -> None:
        ops: dict[str, Op] = {"entry": put(1, words=words), "new entry": put(2, words=words), "gone": drop(1)}
        ops |= {"add": add("b"), "remove": remove("a")}
        if what == "subject":
            self.run(self.town.edit(record, fields={"subject": words}))
        else:
            self.run(self.town.edit(record, ops[what]))

    @precondition(lambda self: self.records)
    @rule(pick=ANY, grid=GRIDS)
    def move(self, pick: int, grid: int) -> None:
        self.run(self.town.move(self._one(pick), self.town.grids[grid]))

    @precondition(lambda self: self.records)
    @rule(pick=ANY)
    def move_out_of_all_grids(self, pick: int) -> None:
        self.run(self.town.move(self._one(pick), self.town.grids[0][:12]))

    @precondition(lambda self: self.records)
    @rule(pick=ANY)
    def step(self, pick: int) -> None:
        """Reports, finishes (which closes) or reopens, whatever comes next."""
        record = self._one(pick)
        state = self.run(self.town.record(record)).state
        name, to = {
            "fresh": ("report", "reported"),
            "reported": ("finish", "finished"),
            "finished": ("reopen", "accepted"),
            "accepted": ("finish", "finished"),
        }[state]
        self.run(self.town.step(record, name, to))

    @precondition(lambda self: self.records)
    @rule(pick=ANY)
    def delete(self, pick: int) -> None:
        """Only what has no number; an edit brings it back."""
        self.run(self.town.edit(self._one(pick), do="delete"))

    @rule(scope=SCOPES)
    def rescope(self, scope: set[int]) -> None:
        self.device.grids = self._grids(scope)
        self.run(self.town.set_device(self.device.id, grids=list(self.device.grids)))

    @precondition(lambda self: self.records)
    @rule(pick=ANY, words=WORDS)
    def another_device_edits(self, pick: int, words: str) -> None:
        state = self.run(self.town.record(self._one(pick)))
        self.other.edit(state.id, fields={"subject": words}, base=state.version)
        self.run(self.other.sync(page_bytes=1))

    # --- the device -----------------------------------------------------------------------------------------

    @rule(words=WORDS)
    def the_device_creates(self, words: str) -> None:
        change = self.device.create(subject=words, act=Act("report", "fresh", "reported"))
        self.records.append(change.record)
        self.run(self.device.sync(page_bytes=400))
        if not self.device.verdicts.get(change.id):
            self.run(self.device.sync_all())

    @precondition(lambda self: self.device.held)
    @rule(
        pick=ANY, words=WORDS, tag=st.booleans(), page=PAGES, lost=st.booleans(), meanwhile=st.none() | EDITS
    )
    def the_device_edits(
        self, pick: int, words: str, page: int, meanwhile: str | None, *, tag: bool, lost: bool
    ) -> None:
        """Often what the office has just edited too, on the same path or on another."""
        held = sorted(self.device.held)
        record = held[pick % len(held)]
        if meanwhile is not None:
            self._edit(record, "z", meanwhile)
        if tag:
            self.device.edit(record, add("c"), put(1, words=words))
        else:
            self.device.edit(record, fields={"subject": words})
        self._page(page, lost=lost)

    @rule(page=PAGES, lost=st.booleans())
    def read_a_page(self, page: int, *, lost: bool) -> None:
        self._page(page, lost=lost)

    @rule(pick=GRIDS, page=PAGES)
    def read_a_grid_again(self, pick: int, page: int) -> None:
        grid = self.device.grids[pick % len(self.device.grids)]
        self._page(page, reread=(grid,))

    def _page(self, size: int, *, lost: bool = False, **more: Any) -> None:
        answer = self.run(self.device.sync(lost=lost, page_bytes=size, **more))
        scope = self.run(self.town.held(self.device.grids))
        assert {row.id for row in answer.page.records} <= set(scope)
        if self.device.complete and not lost:
            self.run(self.device.assert_equals_the_server())

    def teardown(self) -> None:
        if hasattr(self, "device"):
            self.run(self.device.sync_all(page_bytes=400))
            self.run(self.device.assert_equals_the_server())


def test_a_device_that_writes_while_it_reads_ends_with_exactly_its_scope(database_url: str) -> None:
    with server_outside_the_loop(database_url) as (server, run):

        class OnThisDatabase(Reading):
            pass

        OnThisDatabase.server, OnThisDatabase.run = server, staticmethod(run)
        run_state_machine_as_test(
            OnThisDatabase, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
        )
