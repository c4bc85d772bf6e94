"""Offline edits: what is shown, what travels, what is refused."""

import datetime as dt
from typing import Any

import pytest

from client_sdk import FieldClient, InvalidRecord, NotEnrolled, NotFound, Point, Record
from sync_protocol.changes import decode
from tests.client.conftest import OpenDevice
from tests.client.town import GRIDS, Town

TAG = "road"


def payloads(device: FieldClient) -> list[Any]:
    """The queue as it will travel."""
    with device._store.read() as tx:
        rows = tx.rows("SELECT payload FROM changes ORDER BY place")
    return [decode(row[0]) for row in rows]


def test_a_create_is_shown_waiting_in_the_first_state(device: FieldClient) -> None:
    matter = device.create("matter", title="水渠堵塞", category="02")
    assert (matter.delivery, matter.version, matter.number, matter.state) == ("waiting", 0, None, "draft")
    assert (matter.grid, matter.fields["title"], matter.fields["narrative"]) == (GRIDS[0], "水渠堵塞", None)
    assert device.get(matter.id) == matter
    assert device.list("matter") == [matter]


def test_only_changed_fields_travel(device: FieldClient) -> None:
    matter = device.create("matter", title="a", category="02")
    device.update(matter, title="a", category="03")
    change = payloads(device)[-1]
    assert bytes(change.fields) == b'{"category":"03"}'


def test_an_edit_that_changes_nothing_writes_nothing(device: FieldClient) -> None:
    matter = device.create("matter", title="a", tags=[TAG])
    assert device.update(matter, title="a", tags=[TAG], narrative=None) is matter
    assert device.add(matter, "tags", TAG) is matter
    assert device.discard(matter, "tags", "water") is matter
    assert len(device.queue()) == 1


def test_none_clears_a_field_and_not_a_required_one(device: FieldClient) -> None:
    matter = device.create("matter", title="a", narrative="b")
    assert device.update(matter, narrative=None).fields["narrative"] is None
    with pytest.raises(InvalidRecord) as caught:
        device.update(matter, title=None)
    assert caught.value.field == "title"


def test_sets_travel_as_additions_and_removals(device: FieldClient) -> None:
    codes = [choice.code for choice in device.codes("matter_tag")][:3]
    matter = device.create("matter", title="a", tags=codes[:2])
    matter = device.update(matter, tags=codes[1:])
    assert matter.fields["tags"] == sorted(codes[1:])
    operations = payloads(device)[-1].ops
    assert {(type(op).__name__, op.value) for op in operations} == {("Add", codes[2]), ("Remove", codes[0])}
    matter = device.discard(matter, "tags", codes[1])
    assert device.add(matter, "tags", codes[0]).fields["tags"] == sorted([codes[0], codes[2]])


def test_entries_are_appended_edited_and_removed(device: FieldClient) -> None:
    matter = device.create("matter", title="a")
    matter = device.append(matter, "measures", text="到现场")
    ((entry, values),) = matter.fields["measures"].items()
    assert values == {"text": "到现场"}
    matter = device.edit_entry(matter, "measures", entry, text="到现场两次")
    assert matter.fields["measures"] == {entry: {"text": "到现场两次"}}
    assert device.edit_entry(matter, "measures", entry, text="到现场两次") is matter
    matter = device.remove_entry(matter, "measures", entry)
    assert matter.fields["measures"] is None
    with pytest.raises(InvalidRecord, match="append"):
        device.update(matter, measures=[])
    with pytest.raises(InvalidRecord):
        device.edit_entry(matter, "measures", entry, text="x")


def test_a_new_record_may_bring_its_entries_as_a_list(device: FieldClient) -> None:
    matter = device.create("matter", title="a", measures=[{"text": "一"}, {"text": "二"}])
    assert sorted(entry["text"] for entry in matter.fields["measures"].values()) == ["一", "二"]


def test_sums_grow_by_increments(open_device: OpenDevice, town: Town) -> None:
    town.role = "clerk"
    device = open_device()
    kind = next(kind for kind in device.kinds() if kind.name == "reception")
    field = next(name for name, declared in kind.fields.items() if declared.merge == "sum")
    record = device.create("reception", **required_of(device, "reception"))
    record = device.increment(record, field, 3)
    record = device.update(record, **{field: 5})
    assert record.fields[field] == 5
    assert [op.by for change in payloads(device)[1:] for op in change.ops] == [3, 2]


def test_times_dates_and_points_are_python_values(device: FieldClient) -> None:
    found = dt.datetime(2026, 5, 1, 8, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    matter = device.create("matter", title="a", found_at=found, point={"lat": 32.1, "lon": 120.0})
    assert matter.fields["found_at"] == found
    assert matter.fields["point"] == {"lat": 32.1, "lon": 120.0}
    with pytest.raises(InvalidRecord):
        device.update(matter, found_at=dt.datetime(2026, 5, 1))  # noqa: DTZ001 (that is the mistake)


def test_gcj_02_is_converted_when_declared_and_other_systems_are_refused(device: FieldClient) -> None:
    given = Point(39.908692, 116.397477, accuracy_m=5.0, system="gcj02")
    point = device.create("matter", title="a", point=given).fields["point"]
    assert point["lat"] == pytest.approx(39.907288, abs=2e-5)
    assert point["lon"] == pytest.approx(116.391234, abs=2e-5)
    assert point["accuracy_m"] == 5.0
    abroad = Point(48.8, 2.3, system="GCJ-02")
    assert device.create("matter", title="a", point=abroad).fields["point"] == {"lat": 48.8, "lon": 2.3}
    with pytest.raises(InvalidRecord):
        device.create("matter", title="a", point={"lat": 1.0, "lon": 2.0, "system": "bd09"})


def test_what_the_kind_does_not_allow_is_refused_and_nothing_is_saved(device: FieldClient) -> None:
    mistakes: list[dict[str, Any]] = [
        {"category": "xx"},
        {"title": "x" * 300},
        {"nothing": 1},
        {"people_involved": -1},
    ]
    for wrong in mistakes:
        with pytest.raises(InvalidRecord) as caught:
            device.create("matter", **{"title": "a", **wrong})
        assert caught.value.field == next(iter(wrong))
    for kind, grid, field in (
        ("no_such", None, "kind"),
        ("matter", GRIDS[2], "grid"),
        ("matter", "", "grid"),
    ):
        with pytest.raises(InvalidRecord) as caught:
            device.create(kind, grid=grid, title="a")
        assert caught.value.field == field
    assert device.queue() == []


def test_the_grid_must_be_named_when_there_are_several(open_device: OpenDevice, town: Town) -> None:
    town.grids = GRIDS[:2]
    device = open_device()
    with pytest.raises(InvalidRecord):
        device.create("matter", title="a")
    assert device.create("matter", grid=GRIDS[1], title="a").grid == GRIDS[1]


def test_the_workflow_is_checked_offline(device: FieldClient) -> None:
    matter = device.create("matter", title="a")
    assert list(device.actions(matter)) == ["report"]
    with pytest.raises(InvalidRecord, match="open: report"):
        device.act(matter, "accept")
    matter = device.act(matter, "report", note="请看", narrative="补充")
    assert (matter.state, matter.fields["narrative"]) == ("reported", "补充")
    change = payloads(device)[-1]
    assert (change.act.from_, change.act.to, change.act.note) == ("draft", "reported", "请看")


def test_an_edit_by_bare_id_needs_what_was_seen(device: FieldClient) -> None:
    matter = device.create("matter", title="a")
    with pytest.raises(TypeError, match="base="):
        device.update(matter.id, title="b")
    with pytest.raises(TypeError):
        device.update(matter.id, base=True, title="b")
    with pytest.raises(InvalidRecord) as refused:
        device.update(matter.id, base=-1, title="b")
    assert refused.value.field == "base"
    assert device.update(matter.id, base=matter, title="b").fields["title"] == "b"
    assert device.update(matter.id, base=0, title="c").fields["title"] == "c"
    with pytest.raises(NotFound):
        device.update("01920000-0000-7000-8000-00000000ffff", base=0, title="c")


def test_an_edit_travels_with_what_its_screen_showed(device: FieldClient) -> None:
    """Failures, row 30: the base is the screen, not what a page brought under it."""
    before = device.create("matter", title="a")
    device.sync()
    seen = device.get(before.id)
    device.update(seen, title="b")
    device.sync()
    assert device.get(before.id).version > seen.version
    device.update(seen, title="c")
    assert payloads(device)[-1].base == seen.version


def test_a_draft_is_held_back_with_its_edits_until_it_is_submitted(device: FieldClient, town: Town) -> None:
    draft = device.create("matter", title="a", draft=True)
    draft = device.update(draft, title="b")
    other = device.create("matter", title="other")
    assert (draft.delivery, other.delivery) == ("draft", "waiting")
    device.sync()
    assert [change.record for change in town.taken] == [other.id]
    submitted = device.submit(draft)
    assert submitted.delivery == "waiting"
    device.sync()
    assert town.states[draft.id].values["title"] == "b"
    assert [change.n for change in town.taken] == [1, 2, 3]


def test_a_draft_can_be_torn_up(device: FieldClient, town: Town) -> None:
    draft = device.create("matter", title="a", draft=True)
    device.delete(draft)
    assert device.list("matter") == []
    assert device.queue() == []
    with pytest.raises(NotFound):
        device.get(draft.id)
    device.sync()
    assert town.taken == []


def test_a_delete_hides_the_record_and_a_numbered_one_is_refused(device: FieldClient, town: Town) -> None:
    matter = device.create("matter", title="a")
    device.delete(matter)
    assert device.list() == []
    device.sync()
    assert town.states[matter.id].deleted
    numbered = device.act(device.create("matter", title="b"), "report")
    device.sync()
    with pytest.raises(InvalidRecord):
        device.delete(device.get(numbered.id))


def test_the_record_id_never_changes(device: FieldClient) -> None:
    """Failures, row 18."""
    matter = device.create("matter", title="a")
    ids = {matter.id}
    matter = device.act(matter, "report")
    device.sync()
    ids |= {record.id for record in device.list("matter")}
    ids.add(device.update(device.get(matter.id), title="b").id)
    assert ids == {matter.id}
    assert device.get(matter.id).number is not None


def test_lists_are_filtered(device: FieldClient) -> None:
    one = device.create("matter", title="水渠堵塞")
    two = device.act(device.create("matter", title="路灯", measures=[{"text": "打电话"}]), "report")
    visit = device.create("visit", **required_of(device, "visit"))
    assert [record.id for record in device.list("matter")] == [one.id, two.id]
    assert [record.id for record in device.list(text="电话")] == [two.id]
    assert [record.id for record in device.list(state="reported")] == [two.id]
    assert [record.id for record in device.list(grid=GRIDS[0])] == [one.id, two.id, visit.id]
    assert device.list(grid=GRIDS[1]) == []
    assert device.list(delivery="received") == []


def required_of(device: FieldClient, name: str) -> dict[str, Any]:
    """Something for each required field."""
    kind = next(kind for kind in device.kinds() if kind.name == name)
    values: dict[str, Any] = {}
    for field in kind.fields.values():
        if field.required:
            some = {"datetime": "2026-05-01T08:00:00Z", "date": "2026-05-01", "boolean": False, "integer": 1}
            values[field.name] = field.choices[0].code if field.choices else some.get(field.type, "x")
    return values


def test_before_enrolment_there_is_nothing_to_do(open_device: OpenDevice) -> None:
    device = open_device(enrol=False)
    calls: list[Any] = [device.me, device.grids, device.kinds, device.sync, device.digest]
    for call in [*calls, lambda: device.create("matter", title="a")]:
        with pytest.raises(NotEnrolled):
            call()


def test_a_record_is_immutable_and_can_be_a_key(device: FieldClient) -> None:
    matter = device.create("matter", title="a")
    with pytest.raises(AttributeError):
        matter.id = "x"  # type: ignore[misc]  # it must refuse
    with pytest.raises(TypeError):
        matter.fields["title"] = "x"  # type: ignore[index]  # it must refuse
    assert isinstance(matter, Record)
    assert {matter: 1}[device.get(matter.id)] == 1
