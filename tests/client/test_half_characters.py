"""A lone surrogate, as broken input methods leave it: the documented error, wherever a text or an id is taken."""

from collections.abc import Callable
from typing import Any

import pytest

from client_sdk import FieldClient, InvalidRecord, NotFound, Refused, RoundbookError
from client_sdk.office import OfficeClient
from tests.client.conftest import OpenDevice

HALF = "\ud800"
Act = Callable[[Any], object]


def saved(device: FieldClient) -> Any:
    return device.create("matter", nature="dispute", title="水渠堵塞")


BY_ID: dict[str, Act] = {
    "get": lambda device: device.get(HALF),
    "update": lambda device: device.update(HALF, base=1, title="x"),
    "append": lambda device: device.append(HALF, "measures", base=1, text="x"),
    "increment": lambda device: device.increment(HALF, "people_involved", 1, base=1),
    "act": lambda device: device.act(HALF, "report", base=1),
    "delete": lambda device: device.delete(HALF, base=1),
    "submit": lambda device: device.submit(HALF),
    "codes": lambda device: device.codes(HALF),
}
AS_TEXT: dict[str, Act] = {
    "kind": lambda device: device.create(HALF, title="x"),
    "grid": lambda device: device.create("matter", grid=HALF, title="x"),
    "field": lambda device: device.update(saved(device), title=HALF),
    "name of a field": lambda device: device.update(saved(device), **{HALF: "x"}),
    "name of a list": lambda device: device.append(saved(device), HALF, text="x"),
    "sub-field": lambda device: device.append(saved(device), "measures", **{HALF: "x"}),
    "entry": lambda device: device.edit_entry(saved(device), "measures", HALF, note="x"),
    "member": lambda device: device.add(saved(device), "tags", HALF),
    "action": lambda device: device.act(saved(device), HALF),
    "note": lambda device: device.act(saved(device), "report", note=HALF),
    "reason": lambda device: device.act(saved(device), "report", reason=HALF),
    "address": lambda device: device.set_server(f"http://{HALF}"),
}


@pytest.mark.parametrize("name", BY_ID)
def test_there_is_nothing_of_such_an_id(device: FieldClient, name: str) -> None:
    with pytest.raises(NotFound):
        BY_ID[name](device)


@pytest.mark.parametrize("name", AS_TEXT)
def test_such_a_text_is_refused_and_nothing_is_saved(device: FieldClient, name: str) -> None:
    with pytest.raises((InvalidRecord, NotFound)):
        AS_TEXT[name](device)
    assert all(HALF not in str(record.fields) for record in device.list())
    assert device.sync().complete


@pytest.mark.parametrize("name", ["kind", "grid", "state", "delivery", "text"])
def test_nothing_is_found_by_it(device: FieldClient, name: str) -> None:
    saved(device)
    found: Any = device.list(**{name: HALF})  # type: ignore[arg-type]  # any filter by name
    assert list(found) == []


def test_no_code_is_like_it(open_device: OpenDevice) -> None:
    device = open_device("new.rbk", enrol=False)
    with pytest.raises(Refused) as refused:
        device.enrol("http://town", code=HALF)
    assert refused.value.server_code == "code_invalid"


OFFICE_IDS: dict[str, Act] = {
    "get": lambda office: office.get(HALF),
    "update": lambda office: office.update(HALF, base=1, title="x"),
    "append": lambda office: office.append(HALF, "measures", text="x"),
    "act": lambda office: office.act(HALF, "report"),
    "actions": lambda office: office.actions(HALF),
    "history": lambda office: office.history(HALF),
    "conflict": lambda office: office.conflict(HALF),
    "resolve": lambda office: office.resolve(HALF, value=1),
    "replay": lambda office: office.replay(HALF),
}
OFFICE_TEXTS: dict[str, Act] = {
    "kind": lambda office: office.create(HALF, key="1", township="321283104"),
    "key": lambda office: office.create("matter", key=HALF, township="321283104"),
    "place": lambda office: office.create("matter", key="1", township=HALF),
    "field": lambda office: office.create("matter", key="1", township="321283104", title=HALF),
    "list": lambda office: office.append("x", HALF, text="x"),
    "note": lambda office: office.act("x", "report", note=HALF),
    "action": lambda office: office.act("x", HALF),
    "value": lambda office: office.resolve("x", value=HALF),
    "pick": lambda office: office.resolve("x", pick=HALF),
    "discard": lambda office: office.replay("x", discard=True, reason=HALF),
    "filter": lambda office: list(office.records("matter", state=HALF)),
    "fields": lambda office: office.get("x", fields=[HALF]),
    "record": lambda office: office.conflicts(record=HALF),
    "since": lambda office: list(office.changes(since=HALF)),
}


class Silent:
    """Nothing of this may travel."""

    def exchange(self, *_: object) -> Any:
        message = "it was sent"
        raise AssertionError(message)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("act", "error"),
    [
        *((pytest.param(act, NotFound, id=name)) for name, act in OFFICE_IDS.items()),
        *((pytest.param(act, InvalidRecord, id=name)) for name, act in OFFICE_TEXTS.items()),
    ],
)
def test_an_application_is_told_before_anything_travels(act: Act, error: type[RoundbookError]) -> None:
    with OfficeClient("http://office.test", token="t", transport=Silent()) as office, pytest.raises(error):
        act(office)
