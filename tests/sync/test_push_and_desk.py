"""The merge's own properties once more, with every change taken in by the real push on a real database.

The desk of tests/protocol keeps all of a record's history; the push reads only what it thinks a merge needs.
So here the model of what people had seen, and the check that nothing is lost, stand over stored rows: verdicts,
conflicts and effects are read back from the database, and the table of changes rebuilds the record (G1).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.townships import lock
from server.sync.batch import Upload
from server.sync.judge import Refusal
from server.sync.push import push
from sync_protocol.changes import Change, decode
from sync_protocol.clock import Reading
from sync_protocol.outcome import Clash, Merged
from sync_protocol.state import RecordState
from tests.protocol import test_merge_conflicts, test_merge_total
from tests.protocol.desk import FIELD, NOW, RECORD, Desk, Taken, rebuilt, seated
from tests.protocol.test_merge_conflicts import Listed, Model
from tests.sync.town import LIMITS, Differing, Server, Town, effects_of, server_outside_the_loop

Run = Callable[[Any], Any]


class RemoteDesk(Desk):
    """A desk whose record lies in the database, and whose changes go through the push."""

    def __init__(self, town: Town, run: Run) -> None:
        super().__init__()
        self.town, self.run = town, run
        self.township = town.code
        town.server.now = max(town.server.now, NOW)  # what hands save lies before it

    def take(self, change: Change, by: str, role: str = FIELD) -> Taken:
        return self.take_all([change], by, role)[0]

    def take_all(self, changes: Sequence[Change], by: str, role: str = FIELD) -> list[Taken]:
        """Several changes of one queue in one request."""
        self.town.server.now += 1

        async def work(connection: AsyncConnection) -> None:
            township = await lock(connection, self.township)
            assert township is not None
            reading = Reading(self.town.server.now, self.town.server.now)
            counted = {by: changes[0].n - 1}
            upload = Upload(self.author(by, role), list(changes), reading, by, counted)
            await push(connection, township, upload, self.town.server.services.registry, LIMITS)

        self.run(self.town.write(work))
        rows = {row.change_id: row for row in self.run(self.town.changes())}
        differing = self.run(self.town.conflicts())
        taken = [_taken(rows[change.id], differing) for change in changes]
        self.taken += taken
        return taken

    @property
    def state(self) -> RecordState:
        found: RecordState = self.run(self.town.record(RECORD))
        return found


def _taken(row: Any, differing: Sequence[Differing]) -> Taken:
    """What the table of changes says of one change, and the conflicts say of its values."""
    refused = Refusal(row.code) if row.result == "quarantined" else None
    merged = Merged(effects_of(row), concurrent=row.result != "applied")
    for one in differing:
        mine = [side for side in one.sides.values if side.writer.change == row.change_id]
        merged.clashes += [
            Clash(one.path, one.rule, one.sides.base, side, side, by_rule=one.status == "by_rule")
            for side in mine
        ]
    return Taken(row.n, decode(bytes(row.payload)), merged, refused)


class RemoteModel(Model):
    """The same model; what was listed is read from the rows of conflicts."""

    desk: RemoteDesk

    def compare(self, taken: Taken, expected: dict[str, Listed]) -> None:
        conflicts = {one.path: one for one in self.desk.run(self.desk.town.conflicts())}
        assert len(conflicts) == len(self.desk.run(self.desk.town.conflicts())), "one row a path"
        for path, (base, winner, loser, by_rule) in expected.items():
            row = conflicts[path]
            sides = [(side.value, side.writer.change) for side in row.sides.values]
            assert winner in sides
            assert loser in sides
            assert row.rule == test_merge_conflicts.RULES[path]
            assert by_rule or row.status == "open"
            if len(sides) == 2:
                assert row.sides.base == base
        new = {path for path, row in conflicts.items() if taken.change.id in _writers(row)}
        assert new == set(expected)


def _writers(row: Differing) -> set[str]:
    return {side.writer.change for side in row.sides.values}


def test_conflicts_are_listed_exactly_where_the_model_says(database_url: str) -> None:
    with server_outside_the_loop(database_url) as (server, run):

        @settings(max_examples=12)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            desk = RemoteDesk(run(server.open()), run)
            test_merge_conflicts.story(data, RemoteModel(desk, data.draw(st.integers(2, 3))))

        holds()


def test_nothing_is_lost_and_the_table_of_changes_rebuilds_the_record(database_url: str) -> None:
    with server_outside_the_loop(database_url) as (server, run):

        @settings(max_examples=12)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            desk = RemoteDesk(run(server.open()), run)
            hands = seated(desk, data.draw(st.integers(2, 3)), office=True, **test_merge_total.SEEN)
            test_merge_total.story(data, desk, hands)
            run(_rebuilds(desk))

        holds()


async def _rebuilds(desk: RemoteDesk) -> None:
    rows = [row for row in await desk.town.changes() if row.result != "quarantined"]
    again = rebuilt([(decode(bytes(row.payload)), effects_of(row)) for row in rows])
    state = await desk.town.record(RECORD)
    found = (state.values, state.place, state.state, state.number, state.deleted)
    assert (again.values, again.place, again.state, again.number, again.deleted) == found


def test_how_a_queue_is_cut_into_requests_does_not_matter(database_url: str) -> None:
    """Three times the same changes: one by one, all at once, and cut somewhere."""
    with server_outside_the_loop(database_url) as (server, run):

        @settings(max_examples=12)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            queues = _queues(data)
            cut = data.draw(st.integers(1, 4))
            single = _arrive(server, run, queues, 1)
            for size in (cut, 1_000):
                for one, other in zip(single, _arrive(server, run, queues, size), strict=True):
                    assert one == other

        holds()


def _queues(data: st.DataObject) -> list[list[Change]]:
    """Two queues that were filled on one page."""
    hands = seated(Desk(), 3, office=True, **test_merge_total.SEEN)
    for at in range(data.draw(st.integers(1, 10))):
        test_merge_total.save(data.draw, data.draw(st.sampled_from(hands[1:])), NOW - 100 + at)
    return [hand.queue for hand in hands[1:]]


def _arrive(server: Server, run: Run, queues: list[list[Change]], size: int) -> Any:
    desk = RemoteDesk(run(server.open()), run)
    hands = seated(desk, 3, office=True, **test_merge_total.SEEN)
    seen = desk.state.version
    for hand, queue in zip(hands[1:], queues, strict=True):
        rebased = [_moved(change, desk.grids[1], seen) for change in queue]
        for start in range(0, len(rebased), size):
            desk.take_all(rebased[start : start + size], hand.name, hand.role)
    state = desk.state
    told = [(row.change_id, row.result) for row in run(desk.town.changes())]
    return (told, state.values, state.state, state.deleted, state.place[9:])


def _moved(change: Change, grid: str, seen: int) -> Change:
    """A change of another township's desk: the same, on the version that this record has."""
    return msgspec.structs.replace(change, base=seen, place=change.place and grid)
