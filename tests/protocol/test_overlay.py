"""What a device shows is what the server makes of it, as long as nobody else wrote; what travels is what it saw."""

from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from client_sdk import editing
from client_sdk.record import Record, snapshot
from server.sync.pull import page_record
from sync_protocol.changes import Add, Change, fields_of
from sync_protocol.history import History, Past
from sync_protocol.ids import uuid7
from sync_protocol.kinds import Kind, parse
from sync_protocol.merge import merge
from sync_protocol.messages import PageRecord
from sync_protocol.outcome import Arrival, Merged
from sync_protocol.overlay import Base, Laid, Parts, Sight, View, apply_page_record, cause, lay, writes
from sync_protocol.state import RecordState, Writer, born

GRID = "321283104203001"
TITLE = 'title = { zh = "甲", en = "A" }\nprivacy = "plain"'
CHOICES = ", ".join(f'{{ code = "{code}", zh = "{code}", en = "{code}" }}' for code in "abc")
KIND: Kind = parse(
    f"""
[kind]
name = "thing"
version = 1
title = {{ zh = "物", en = "Thing" }}

[fields.title]
type = "text"
merge = "latest"
required = true
{TITLE}

[fields.people]
type = "integer"
merge = "review"
{TITLE}

[fields.narrative]
type = "text"
merge = "text"
{TITLE}

[fields.tags]
type = "choices"
merge = "union"
choices = [{CHOICES}]
{TITLE}

[fields.depth]
type = "number"
merge = "max"
{TITLE}

[fields.visits]
type = "integer"
merge = "sum"
{TITLE}

[fields.measures]
type = "entries"
merge = "entries"
{TITLE}

[fields.measures.of.text]
type = "text"
merge = "latest"
required = true
{TITLE}

[fields.measures.of.cost]
type = "number"
merge = "latest"
{TITLE}

[workflow]
initial = "draft"

[workflow.states.draft]
title = {{ zh = "草稿", en = "Draft" }}

[workflow.states.reported]
title = {{ zh = "已上报", en = "Reported" }}
numbered = true

[workflow.states.settled]
title = {{ zh = "办结", en = "Settled" }}

[workflow.transitions.report]
title = {{ zh = "上报", en = "Report" }}
from = ["draft", "settled"]
to = "reported"
roles = ["grid_worker"]

[workflow.transitions.settle]
title = {{ zh = "办结", en = "Settle" }}
from = ["reported"]
to = "settled"
roles = ["grid_worker"]
""",
    "thing.toml",
)


class World:
    """One record on the server, and one device that edits it. Random from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.record = self.new_id()
        self.n = 100
        self.state: RecordState | None = None
        self.history = History()
        self.base: Base | None = None
        self.laid: list[Laid] = []

    def new_id(self) -> str:
        return uuid7(1_700_000_000_000, self.random.randbytes(10))

    def view(self) -> View:
        return lay(self.base, self.laid, KIND, self.record)

    def snapshot(self) -> Record:
        return snapshot(self.view(), KIND, "waiting", None)

    def change(self, parts: Parts, sight: Sight) -> Change:
        return editing.change_of(
            parts,
            cause(sight, parts),
            KIND,
            self.record,
            id_=self.new_id(),
            at_ms=0,
            mark_ms=0,
            since_ms=None,
            reason=None,
        )

    def take(self, change: Change, by: str) -> Merged:
        """The server takes a change in."""
        self.n += 1
        arrival = Arrival(self.n, self.n, by, "grid_worker")
        if self.state is None:
            self.state = born(change, fields_of(change), KIND, Writer(self.n, self.n, change.id, by))
            merged = Merged()
        else:
            merged = merge(self.state, change, fields_of(change), KIND, arrival, self.history)
        self.history.add(Past(self.n, by, self.n, change, tuple(merged.effects)))
        self.n += 1
        self.state.version = self.n
        return merged

    def edit(self, record: Record) -> Parts | None:
        """Some edit of what is shown."""
        pick = self.random
        entries = list(record.values.get("measures") or {})
        entry = pick.choice(entries) if entries else None
        made: list[Any] = [
            lambda: editing.update(KIND, record, {"title": pick.choice("xyz")}, self.new_id),
            lambda: editing.update(KIND, record, {"people": pick.choice([None, 1, 2])}, self.new_id),
            lambda: editing.update(KIND, record, {"depth": pick.choice([None, 1.0, 2.5, 9])}, self.new_id),
            lambda: editing.update(
                KIND, record, {"narrative": pick.choice(["一。二。", "一。", None])}, self.new_id
            ),
            lambda: editing.update(
                KIND, record, {"tags": pick.sample("abc", pick.randrange(4))}, self.new_id
            ),
            lambda: editing.update(KIND, record, {"visits": pick.randrange(9), "title": "w"}, self.new_id),
            lambda: editing.add(KIND, record, "tags", (pick.choice("abc"),)),
            lambda: editing.discard(KIND, record, "tags", (pick.choice("abc"),)),
            lambda: editing.increment(KIND, "visits", pick.randrange(-3, 4)),
            lambda: editing.append(KIND, record, "measures", {"text": pick.choice("uv")}, self.new_id()),
            lambda: (
                entry and editing.edit_entry(KIND, record, "measures", entry, {"text": pick.choice("uvw")})
            ),
            lambda: (
                entry
                and editing.edit_entry(KIND, record, "measures", entry, {"cost": pick.choice([None, 3])})
            ),
            lambda: entry and editing.remove_entry(KIND, record, "measures", entry),
            lambda: self._act(record),
        ]
        found = pick.choice(made)()
        return found if isinstance(found, Parts) else None

    def _act(self, record: Record) -> Parts:
        action = self.random.choice(list(editing.actions(KIND, record, "grid_worker")))
        return editing.act(KIND, record, "grid_worker", action, None, None, None)

    def create(self) -> Change:
        values = {"title": "t", "tags": ["a"], "measures": [{"text": "m", "cost": 1}], "visits": 2}
        parts = editing.create(KIND, "grid_worker", values, GRID, self.new_id)
        return self.change(parts, Sight())

    def page(self) -> None:
        """A page brings the record as it stands, and covers everything that was taken."""
        assert self.state is not None
        self.base = base_of(self.state)
        self.laid = []


def base_of(state: RecordState) -> Base:
    body = msgspec.json.decode(msgspec.json.encode(state.values))
    return Base(state.id, state.kind, state.place, state.version, body, state.state, state.number)


def said(base: Base) -> tuple[object, ...]:
    return base.kind, base.place, base.version, base.values, base.state, base.number


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_an_own_chain_shows_what_the_server_makes_of_it(seed: int) -> None:
    world = World(seed)
    change = world.create()
    world.laid.append(Laid(change))
    taken = world.take(change, "me")
    for _ in range(world.random.randrange(1, 14)):
        match world.random.randrange(5):
            case 0:
                world.page()
            case 1:  # verdicts arrive before the page
                world.laid = [Laid(one.change, past_n(world, one.change)) for one in world.laid]
        parts = world.edit(world.snapshot())
        if parts is None:
            continue
        change = world.change(parts, world.view().sight)
        world.laid.append(Laid(change))
        taken = world.take(change, "me")
        assert taken.result == "applied", change
        view = world.view()
        assert world.state is not None
        assert view.values == world.state.values, change
        assert (view.state, view.place) == (world.state.state, world.state.place)


def past_n(world: World, change: Change) -> int:
    past = world.history.own(change.id, "me")
    assert past is not None
    return past.n


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_a_page_brings_a_device_to_what_stands_from_wherever_it_was(seed: int) -> None:
    """Whoever wrote meanwhile: the fields newer than its base are all that a device lacks."""
    world = World(seed)
    world.take(world.create(), "me")
    world.page()
    assert world.state is not None
    for _ in range(world.random.randrange(1, 6)):
        held = world.base
        assert held is not None
        for _ in range(world.random.randrange(1, 5)):
            parts = world.edit(world.snapshot())
            if parts is not None:
                seen = world.view().sight if world.random.random() < 0.7 else Sight(101)
                world.take(world.change(parts, seen), world.random.choice(["me", "you"]))
                if world.random.random() < 0.5:
                    world.base = base_of(world.state)
        row = sent(page_record(world.state, held.version, None))
        fresh = apply_page_record(held, row, [], KIND)
        assert fresh is not None
        assert said(fresh) == said(base_of(world.state))
        world.page()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_own_changes_that_a_page_only_names_make_the_same_record(seed: int) -> None:
    world = World(seed)
    change = world.create()
    own, held = [change], world.base
    world.laid.append(Laid(change))
    world.take(change, "me")
    if world.random.random() < 0.5:
        world.page()
        own, held = [], world.base
    for _ in range(world.random.randrange(1, 6)):
        parts = world.edit(world.snapshot())
        if parts is not None:
            change = world.change(parts, world.view().sight)
            own.append(change)
            world.laid.append(Laid(change))
            world.take(change, "me")
    assert world.state is not None
    if not own:
        return
    place = GRID if held is None else ""
    named = tuple(one.id for one in own)
    row = sent(
        PageRecord(world.record, world.state.version, "thing", place, own=named, state=world.state.state)
    )
    fresh = apply_page_record(held, row, own, KIND)
    assert fresh is not None
    assert said(fresh) == said(base_of(world.state))


def sent(row: PageRecord) -> PageRecord:
    """The row as it arrives."""
    return msgspec.json.decode(msgspec.json.encode(row), type=PageRecord)


def test_a_row_that_fits_nothing_held_is_not_applied() -> None:
    assert apply_page_record(None, PageRecord("r", 5, fields=msgspec.Raw(b'{"title":"x"}')), [], KIND) is None


def test_a_whole_row_replaces_what_it_does_not_name() -> None:
    held = Base("r", "thing", GRID, 3, {"title": "x", "people": 4}, "draft", "n-1")
    row = PageRecord(
        "r", 9, "thing", GRID, whole=True, fields=msgspec.Raw(b'{"title":"y"}'), state="reported"
    )
    # Not even the number: a server that was restored may not have given it.
    assert apply_page_record(held, row, [], None) == Base(
        "r", "thing", GRID, 9, {"title": "y"}, "reported", None
    )


def test_an_edit_names_the_own_change_that_its_screen_showed() -> None:
    """Failures, row 30: not the latest own change, but the one that was on the screen."""
    world = World(1)
    world.base = Base(world.record, "thing", GRID, 7, {"title": "x"}, "draft")
    before = world.snapshot()
    parts = editing.update(KIND, before, {"title": "y"}, world.new_id)
    assert parts is not None
    first = world.change(parts, before.sight)
    assert (first.base, first.on) == (7, {})
    world.laid.append(Laid(first))
    shown = world.snapshot()
    assert shown.fields["title"] == "y"
    stale = editing.update(KIND, before, {"title": "z"}, world.new_id)
    fresh = editing.update(KIND, shown, {"title": "z"}, world.new_id)
    assert stale is not None
    assert fresh is not None
    assert world.change(stale, before.sight).on == {}
    assert world.change(fresh, shown.sight).on == {"title": first.id}


def test_a_verdict_moves_the_base_of_its_own_paths_only() -> None:
    world = World(1)
    world.base = Base(world.record, "thing", GRID, 7, {"title": "x", "people": 1}, "draft")
    change = world.change(Parts(fields={"title": "y"}), world.view().sight)
    world.laid = [Laid(change, applied=12)]
    sight = world.view().sight
    assert (sight.version, sight.bases) == (7, {"title": 12})
    made = world.change(Parts(fields={"title": "z", "people": 2}), sight)
    assert (made.base_of("title"), made.base_of("people")) == (12, 7)
    world.laid = [Laid(change)]
    assert world.view().sight.bases == {}


def test_an_applied_create_counts_for_every_path() -> None:
    world = World(1)
    create = world.create()
    world.laid = [Laid(create, applied=12)]
    sight = world.view().sight
    assert (sight.version, sight.after) == (12, create.id)


def test_a_removal_names_every_pending_change_below_it() -> None:
    world = World(1)
    entry = world.new_id()
    values: dict[str, Any] = {"title": "x", "measures": {entry: {"text": "u"}}}
    world.base = Base(world.record, "thing", GRID, 7, values, "draft")
    parts = editing.edit_entry(KIND, world.snapshot(), "measures", entry, {"cost": 3})
    assert parts is not None
    edit = world.change(parts, world.view().sight)
    world.laid = [Laid(edit)]
    drop = editing.remove_entry(KIND, world.snapshot(), "measures", entry)
    assert drop is not None
    assert world.change(drop, world.view().sight).on == {f"measures/{entry}/cost": edit.id}
    assert world.change(Parts("delete"), world.view().sight).on == {f"measures/{entry}/cost": edit.id}


def test_what_is_laid_over_a_record_that_left_is_marked() -> None:
    world = World(1)
    world.laid = [Laid(world.change(Parts(fields={"title": "y"}), Sight(7)))]
    view = world.view()
    assert (view.whole, view.values) == (False, {"title": "y"})


def test_an_own_change_of_a_version_that_is_not_known_here_hides_nothing() -> None:
    world = World(1)
    world.base = Base(world.record, "thing", GRID, 7, {"title": "x"}, "draft")
    parts = Parts(fields={"title": "y", "weather": "rain"}, ops=(Add("smells", "smoke"),))
    world.laid = [Laid(world.change(parts, world.view().sight))]
    assert world.view().values == {"title": "y", "weather": "rain"}


def test_what_a_change_wanted_each_path_to_be() -> None:
    world = World(1)
    entry = world.new_id()
    world.base = Base(world.record, "thing", GRID, 7, {"title": "x", "tags": ["a"]}, "draft")
    record = world.snapshot()
    parts = [
        editing.update(KIND, record, {"title": "y", "tags": ["b"], "visits": 3}, world.new_id),
        editing.append(KIND, record, "measures", {"text": "u"}, entry),
        editing.act(KIND, record, "grid_worker", "report", None, None, None),
        Parts("delete"),
    ]
    wanted = [writes(world.change(one, record.sight)) for one in parts if one is not None]
    assert wanted == [
        {"title": "y", "tags/b": True, "tags/a": None},
        {f"measures/{entry}/text": "u"},
        {"state": "reported"},
        {"": "deleted"},
    ]
