"""Lists of records: what a search finds, that a list stays as it was, and that nothing is made that nobody looks at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk import FieldClient, reading
from client_sdk.listing import Line, that_say
from client_sdk.record import Delivery, Record, snapshot
from sync_protocol.kinds import Kind
from sync_protocol.overlay import View
from sync_protocol.state import encode_values
from tests.client.town import GRIDS

WORDS = st.text('村灯Aaß"\\é0İıſ\n1-', max_size=4)


def unmade() -> Record:
    raise AssertionError("nobody looks at this record")


@given(
    title=WORDS,
    tags=st.lists(WORDS, max_size=2),
    names=st.lists(WORDS, max_size=1),
    number=st.sampled_from(["", "321283104-2026-00001"]),
    wanted=WORDS,
)
def test_a_search_finds_what_stands_in_a_text_whatever_its_case(
    title: str, tags: list[str], names: list[str], number: str, wanted: str
) -> None:
    values = {
        "title": title,
        "tags": tags,
        "parties": {str(at): {"name": name} for at, name in enumerate(names)},
    }
    line = Line("1", "matter", None, number or None, "received", encode_values(values), unmade)
    expected = any(wanted.casefold() in text.casefold() for text in (title, *tags, *names, number))
    assert that_say([line], wanted) == ([line] if expected else [])


def test_no_name_of_a_field_and_no_id_of_an_entry_is_a_text() -> None:
    values = {"title": "村", "parties": {"0192": {"name": "王"}}}
    line = Line("1", "matter", None, None, "received", encode_values(values), unmade)
    for name in ("title", "parties", "0192", "name", '":"'):
        assert that_say([line], name) == [], name


def test_nothing_is_made_that_nobody_looks_at(device: FieldClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(5):
        device.create("matter", title=f"路灯{at}不亮", grid=GRIDS[0])
    device.sync()
    made: list[str] = []

    def counted(view: View, kind: Kind, delivery: Delivery, number: str | None) -> Record:
        made.append(view.id)
        return snapshot(view, kind, delivery, number)

    monkeypatch.setattr(reading, "snapshot", counted)
    found = device.list("matter", text="路灯", state="draft")
    assert (len(found), made) == (5, [])
    assert found[3].fields["title"] == "路灯3不亮"
    assert made == [found[3].id] * 2


def test_a_list_stays_as_it_was_and_is_cut_and_compared_like_any_other(device: FieldClient) -> None:
    made = [device.create("matter", title=f"灯{at}") for at in range(3)]
    device.sync()
    listed = device.list("matter")
    device.update(device.get(made[0].id), title="渠")
    device.delete(device.get(made[1].id))
    assert [one.fields["title"] for one in listed] == ["灯0", "灯1", "灯2"]
    assert listed[1:] == [listed[1], listed[2]]
    assert listed[1:] != listed[:2]
    assert [one.fields["title"] for one in device.list("matter", text="渠")] == ["渠"]
    assert [one.fields["title"] for one in device.list("matter", text="灯")] == ["灯2"]
