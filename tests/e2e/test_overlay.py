"""What a worker sees of changes that wait in quarantine, beside what they wrote later."""

from typing import Any

from client_sdk import FieldClient, Record
from tests.e2e.village import GRID, NEXT_GRID, Village, reported


def quarantined(village: Village, device: FieldClient, record: Record, **fields: Any) -> None:
    """The device's grid is taken away by mistake while it has these edits to send; then it is given back."""
    village.set_grids(device, NEXT_GRID)
    device.update(device.get(record.id), **fields)
    assert device.sync().quarantined == 1
    village.set_grids(device, GRID)
    device.sync()


def test_what_was_written_later_and_arrived_is_not_covered_by_what_waits(village: Village) -> None:
    """Found by the simulation: what an author had taken out stood on their screen again, and went out once more."""
    device = village.device("王芳")
    record = reported(device, note="一")
    device.sync()
    quarantined(village, device, record, note="二")
    assert device.get(record.id).fields["note"] == "二"
    device.update(device.get(record.id), note="三")
    assert device.sync().complete
    assert device.get(record.id).fields["note"] == "三"
    assert [problem.values["note"].own for problem in device.problems()] == ["二"]
    assert device.get(record.id).delivery == "attention"
    assert village.state(record.id).values["note"] == "三"
    # It is still the office's to take in, or not.
    (waiting,) = village.quarantine()
    village.office("POST", f"/v1/quarantine/{waiting}/replay", {"discard": True, "reason": "已另填"})
    device.sync()
    assert device.problems() == []
    assert device.get(record.id).fields["note"] == "三"


def test_what_waits_is_still_told_when_its_record_has_left(village: Village) -> None:
    device = village.device("王芳")
    record = reported(device, note="一")
    device.sync()
    quarantined(village, device, record, note="二")
    device.update(device.get(record.id), note="三")
    device.sync()
    village.set_grids(device, NEXT_GRID)
    assert device.sync().removed == 1
    assert [(one.record.id, one.values["note"].own) for one in device.problems()] == [(record.id, "二")]
    village.set_grids(device, GRID)
    device.sync()
    assert device.get(record.id).fields["note"] == "三"


def test_what_waits_is_shown_as_long_as_a_part_of_it_is_the_last_word(village: Village) -> None:
    device = village.device("王芳")
    record = reported(device, note="一", households=3)
    device.sync()
    quarantined(village, device, record, note="二", households=4)
    device.update(device.get(record.id), note="三")
    device.sync()
    assert device.get(record.id).fields["households"] == 4
    device.update(device.get(record.id), households=5)
    device.sync()
    shown = device.get(record.id).fields
    assert (shown["note"], shown["households"]) == ("三", 5)
