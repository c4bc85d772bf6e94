"""The quarantine over HTTP: seen, corrected, taken in again with what waited for it, or closed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from server.quarantine.kinds import INSTALLER, replay_waiting
from server.quarantine.waiting import TakenIn
from server.storage import townships
from server.storage.engine import transact
from server.sync.batch import Upload
from server.sync.judge import Author
from server.sync.push import push
from sync_protocol.changes import Act, Add, Change, Put
from sync_protocol.clock import Reading
from sync_protocol.codec import read_change
from sync_protocol.kinds import parse
from sync_protocol.limits import DEFAULTS
from tests.server.office_server import GRID, OTHER_TOWN, TOWN, Device, OfficeServer, office_server
from tests.server.test_records_api import PHONE, code_of

WELL = """
[kind]
name = "well_check"
version = 1
keep_days = 30
title = { zh = "水井检查", en = "Well check" }

[fields.depth]
type = "number"
merge = "latest"
privacy = "plain"
title = { zh = "水深", en = "Depth" }

[fields.keeper]
type = "text"
merge = "latest"
privacy = "contact"
title = { zh = "管护人", en = "Keeper" }
"""


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


@pytest.fixture
async def device(server: OfficeServer) -> Device:
    return await server.device("李四")


@pytest.fixture
async def office(server: OfficeServer) -> httpx2.AsyncClient:
    return await server.client()


async def waiting(office: httpx2.AsyncClient) -> list[dict[str, Any]]:
    answer = await office.get("/v1/quarantine")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["changes"]
    return found


async def replay(office: httpx2.AsyncClient, change: str, **body: Any) -> httpx2.Response:
    return await office.post(f"/v1/quarantine/{change}/replay", json=body)


async def reported(server: OfficeServer, device: Device, **fields: Any) -> tuple[str, int]:
    """A matter that devices hold, and its version."""
    create = device.create(fields={"title": "漏水", **fields}, act=Act("report", "draft", "reported"))
    assert [v.result for v in await device.push(create)] == ["applied"]
    return create.record, (await server.state(create.record)).version


async def test_a_wrong_value_is_corrected_and_applied_as_the_worker_s_own(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    """Failures, row 4: repaired and replayed by the office."""
    record, version = await reported(server, device)
    made_ms = server.now_ms - 3_600_000
    bad = device.change(record, base=version, at=made_ms, fields={"category": "no such", "title": "水管漏水"})
    (verdict,) = await device.push(bad)
    assert (verdict.result, verdict.code) == ("quarantined", "invalid_field")
    (found,) = await waiting(office)
    assert (found["id"], found["code"], found["field"]) == (bad.id, "invalid_field", "category")
    assert (found["who"]["author"], found["who"]["author_name"]) == (device.id, "李四")
    assert found["who"]["at_ms"] == made_ms
    assert found["wanted"]["fields"]["title"] == "水管漏水"

    before = await server.state(record)
    assert code_of(await replay(office, bad.id), 422) == "invalid_record"
    after = await server.state(record)
    assert (after.version, after.values) == (before.version, before.values), "a refused replay leaves nothing"
    assert len(await waiting(office)) == 1

    server.now_ms += 86_400_000
    done = await replay(office, bad.id, fields={"category": None}, reason="类别不对")
    assert done.status_code == 200, done.text
    assert done.json()["record"]["fields"]["title"] == "水管漏水"
    assert await waiting(office) == []
    writer = (await server.state(record)).marks.writer("title")
    assert (writer.by, writer.change) == (device.id, bad.id)
    assert writer.stamp == found["who"]["estimated_ms"], "it keeps the time that was estimated when it came"
    (receipt,) = await server.receipts(device)
    assert (receipt.change, receipt.outcome, receipt.reason) == (bad.id, "applied", "类别不对")
    again = await device.push(msgspec.structs.replace(bad, n=device.n))
    assert (again[0].result, again[0].duplicate) == ("quarantined", True), "the first verdict for ever"
    items = (await office.get(f"/v1/records/{record}/history")).json()["changes"]
    assert [(item["result"], item["origin"]) for item in items] == [
        ("applied", None),
        ("quarantined", None),
        ("applied", bad.id),
        ("replayed", bad.id),
    ]
    assert items[2]["who"]["author"] == device.id
    assert items[3]["who"]["role"] == "application"
    assert items[3]["reason"] == "类别不对"


async def test_a_create_is_replayed_with_what_waited_for_it_in_order(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    create = device.create(fields={"title": "漏水", "category": "no such"})
    first = device.change(create.record, after=create.id, fields={"narrative": "第一句。"})
    second = device.change(
        create.record, after=create.id, on={"narrative": first.id}, fields={"narrative": "第一句。第二句。"}
    )
    wrong = device.change(create.record, after=create.id, fields={"people_involved": -1})
    report = device.change(create.record, after=create.id, act=Act("report", "draft", "reported"))
    verdicts = await device.push(create, first, second, wrong, report)
    assert [v.code for v in verdicts] == ["invalid_field", *["depends_on"] * 4]
    assert code_of(await replay(office, second.id), 422) == "invalid_record"
    listed = await waiting(office)
    assert [one["record_exists"] for one in listed] == [False] * 5

    done = (await replay(office, create.id, fields={"category": "02"})).json()
    assert [one["origin"] for one in done["taken"]] == [create.id, first.id, second.id, report.id]
    assert [one["result"] for one in done["taken"]] == ["applied"] * 4
    assert [(one["origin"], one["field"]) for one in done["refused"]] == [(wrong.id, "people_involved")]
    record = done["record"]
    assert record["fields"]["narrative"] == "第一句。第二句。"
    assert record["number"] == f"{TOWN}-2025-00001"
    assert [one["id"] for one in await waiting(office)] == [wrong.id]
    assert [(r.change, r.outcome) for r in await server.receipts(device)] == [
        (change.id, "applied") for change in (create, first, second, report)
    ]
    fixed = await replay(office, wrong.id, fields={"people_involved": 4})
    assert fixed.json()["record"]["fields"]["people_involved"] == 4
    assert await waiting(office) == []


async def test_a_replayed_change_never_overrides_a_later_one_of_its_own_chain(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    """Failures, row 32."""
    record, version = await reported(server, device)
    early = device.change(
        record, base=version, fields={"title": "早", "source": "no such", "place_description": "村东"}
    )
    late = device.change(record, base=version, on={"title": early.id}, fields={"title": "晚"})
    verdicts = await device.push(early, late)
    assert [v.result for v in verdicts] == ["quarantined", "applied"]
    done = await replay(office, early.id, fields={"source": None})
    assert done.status_code == 200, done.text
    fields = done.json()["record"]["fields"]
    assert fields["title"] == "晚"
    assert fields["place_description"] == "村东"
    assert (await office.get("/v1/conflicts?status=by_rule")).json()["conflicts"] == []


async def test_a_replay_meets_what_others_wrote_since_like_any_late_change(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = device.change(record, base=version, fields={"people_involved": 5, "source": "no such"})
    await device.push(bad)
    other = await server.device("王五")
    await other.push(other.change(record, base=version, fields={"people_involved": 7}))
    done = (await replay(office, bad.id, fields={"source": None})).json()
    assert done["taken"][0]["result"] == "conflict"
    assert done["record"]["fields"]["people_involved"] == 7
    (conflict,) = (await office.get("/v1/conflicts")).json()["conflicts"]
    mine = next(side for side in conflict["values"] if side["value"] == 5)
    assert (mine["change"], mine["who"]["author"]) == (bad.id, device.id)
    await office.post(f"/v1/conflicts/{conflict['id']}/resolve", json={"pick": bad.id})
    outcomes = [(r.change, r.outcome) for r in await server.receipts(device)]
    assert outcomes == [(bad.id, "applied"), (bad.id, "kept")]


async def test_a_later_edit_that_had_not_seen_the_correction_does_not_bury_it(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = device.change(record, base=version, fields={"people_involved": 5, "source": "no such"})
    await device.push(bad)
    await replay(office, bad.id, fields={"source": None, "people_involved": 50})
    later = device.change(record, base=version, on={"people_involved": bad.id}, fields={"people_involved": 6})
    assert [v.result for v in await device.push(later)] == ["conflict"]
    assert (await server.state(record)).values["people_involved"] == 50


async def test_a_later_edit_made_on_the_replayed_value_is_no_conflict(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = device.change(record, base=version, fields={"people_involved": 5, "source": "no such"})
    await device.push(bad)
    await replay(office, bad.id, fields={"source": None})
    later = device.change(record, base=version, on={"people_involved": bad.id}, fields={"people_involved": 6})
    assert [v.result for v in await device.push(later)] == ["applied"]


async def test_a_kind_installed_later(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    create = device.create(kind="well_check", fields={"depth": 3.5, "keeper": PHONE})
    (verdict,) = await device.push(create)
    assert verdict.code == "unknown_kind"
    blind = await server.client("review", name="审核")
    (found,) = await waiting(blind)
    assert found["wanted"]["fields"] == {"depth": "***", "keeper": "138****1234"}, "nothing is known of it"
    refused = await replay(office, create.id)
    assert refused.json()["cause"] == "unknown_kind"
    await server.install(WELL)
    server.now_ms += 10_000
    done = await replay(office, create.id)
    assert done.status_code == 200, done.text
    assert done.json()["record"]["fields"] == {"depth": 3.5, "keeper": PHONE}


async def test_what_waited_for_a_kind_is_taken_in_once(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    create = device.create(kind="well_check", fields={"depth": 3.5})
    edit = device.change(create.record, kind="well_check", after=create.id, fields={"depth": 4.0})
    other = device.create(kind="pump_check", fields={"depth": 1.0})
    codes = [verdict.code for verdict in await device.push(create, edit, other)]
    assert codes == ["unknown_kind", "depends_on", "unknown_kind"]
    await server.install(WELL)
    server.now_ms += 10_000
    kind = parse(WELL, "test.toml")
    assert await replay_waiting(server.services, kind) == TakenIn(1, 0)
    assert await replay_waiting(server.services, kind) == TakenIn(0, 0), "a second installation finds nothing"
    record = (await office.get(f"/v1/records/{create.record}")).json()
    assert record["fields"]["depth"] == 4.0, "the edit that waited for the create came with it"
    assert [one["id"] for one in await waiting(office)] == [other.id]
    history = (await office.get(f"/v1/records/{create.record}/history")).json()
    assert INSTALLER in str(history)


async def test_a_worker_moved_away_and_the_office_takes_the_edit(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    device.grids = frozenset()
    edit = device.change(record, base=version, fields={"narrative": "补充。"})
    (verdict,) = await device.push(edit)
    assert verdict.code == "not_in_scope"
    assert verdict.reason is None
    done = await replay(office, edit.id)
    assert done.json()["record"]["fields"]["narrative"] == "补充。"


async def test_a_place_is_corrected(device: Device, office: httpx2.AsyncClient) -> None:
    create = device.create(place=f"{GRID[:12]}999", fields={"title": "漏水"})
    await device.push(create)
    refused = await replay(office, create.id)
    assert refused.json()["cause"] == "unknown_place"
    done = await replay(office, create.id, place=GRID)
    assert done.json()["record"]["place"] == GRID


async def test_a_device_decides_nothing_by_way_of_a_replay(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    sly = device.change(record, base=version, decides=server.new_id(), fields={"title": "我说了算"})
    (verdict,) = await device.push(sly)
    assert verdict.code == "not_permitted"
    await replay(office, sly.id)
    assert (await server.state(record)).marks.writer("title").rank == 0


async def test_a_discard_closes_without_applying(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = device.change(record, base=version, fields={"source": "no such", "title": "废话"})
    await device.push(bad)
    assert code_of(await replay(office, bad.id, discard=True), 422) == "invalid_record"
    wrong = await replay(office, bad.id, discard=True, reason="x", fields={"title": "y"})
    assert code_of(wrong, 422) == "invalid_record"
    done = await replay(office, bad.id, discard=True, reason="重复")
    assert (done.status_code, done.json()["discarded"], done.json()["taken"]) == (200, True, [])
    assert done.json()["record"]["fields"]["title"] == "漏水"
    assert await waiting(office) == []
    (receipt,) = await server.receipts(device)
    assert (receipt.change, receipt.outcome, receipt.reason) == (bad.id, "discarded", "重复")
    assert code_of(await replay(office, bad.id, fields={"source": None}), 409) == "already_decided"
    # The closing is no edit: a delete that had not seen it is no conflict, and numbers go on.
    edit = device.change(record, base=version, fields={"title": "再改"})
    assert [v.result for v in await device.push(edit)] == ["applied"]


async def test_of_two_replays_the_second_is_told_and_a_repeated_one_is_not(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = device.change(record, base=version, fields={"source": "no such", "title": "水管漏水"})
    await device.push(bad)
    body, path = {"fields": {"source": None}}, f"/v1/quarantine/{bad.id}/replay"
    answers = await asyncio.gather(
        *(office.post(path, json=body, headers={"idempotency-key": key}) for key in ("a", "b"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    winner = "a" if answers[0].status_code == 200 else "b"
    again = await office.post(path, json=body, headers={"idempotency-key": winner})
    first = next(answer for answer in answers if answer.status_code == 200)
    assert again.json() == first.json()
    assert len(await server.receipts(device)) == 1


async def test_what_cannot_be_decoded_is_listed_and_closed(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    raw = msgspec.json.encode({"id": server.new_id(), "record": "x", "surprise": PHONE})

    async def work(connection: AsyncConnection) -> None:
        township = await townships.lock(connection, TOWN)
        assert township is not None
        author = Author(device.id, TOWN, "grid_worker", device.grids)
        upload = Upload(author, [read_change(raw)], Reading(server.now_ms, server.now_ms), device.epoch)
        await push(connection, township, upload, server.services.registry, DEFAULTS)

    await transact(server.services.engine, work)
    (found,) = await waiting(office)
    assert (found["code"], found["wanted"], found["bytes"]) == ("unreadable", None, len(raw))
    assert PHONE not in str(found)
    refused = await replay(office, found["id"], fields={"title": "x"})
    assert refused.json()["cause"] == "unreadable"
    assert (await replay(office, found["id"], discard=True, reason="乱码")).status_code == 200
    assert await waiting(office) == []


async def test_operations_are_shown_and_contact_is_masked(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    entry = server.new_id()
    party = Put("parties", entry, msgspec.Raw(msgspec.json.encode({"contact": PHONE, "role": "applicant"})))
    bad = device.change(record, base=version, ops=[Add("tags", "no such"), party])
    await device.push(bad)
    blind = await server.client("review", name="审核")
    (found,) = await waiting(blind)
    assert found["masked"]
    assert found["wanted"]["operations"] == [
        {"op": "add", "field": "tags", "value": "no such"},
        {
            "op": "put",
            "field": "parties",
            "entry": entry,
            "values": {"contact": "138****1234", "role": "applicant"},
        },
    ]
    (full,) = await waiting(office)
    assert not full["masked"]
    contact = await replay(blind, bad.id, fields={"parties": {}})
    assert code_of(contact, 403) == "forbidden"


async def test_a_deleted_step_and_an_id_used_twice(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    one = device.change(record, base=version, fields={"title": "甲"})
    two: Change = msgspec.structs.replace(
        one, n=one.n + 1, fields=msgspec.Raw(msgspec.json.encode({"narrative": "另一条。"}))
    )
    device.n += 1
    verdicts = await device.push(one, two)
    assert [v.code for v in verdicts] == [None, "change_id_reused"]
    (found,) = await waiting(office)
    assert found["id"] != one.id
    done = await replay(office, found["id"])
    assert done.status_code == 200, done.text
    assert done.json()["record"]["fields"]["narrative"] == "另一条。"
    assert done.json()["record"]["fields"]["title"] == "甲"


async def test_other_townships_and_unknown_ones(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = device.change(record, base=version, fields={"source": "no such"})
    good = device.change(record, base=version, fields={"title": "x"})
    await device.push(bad, good)
    other = await server.client(townships=(OTHER_TOWN,), name="别的镇")
    assert await waiting(other) == []
    for change in (bad.id, server.new_id(), "nonsense"):
        assert code_of(await replay(other, change), 404) == "not_found"
    assert code_of(await replay(office, good.id), 404) == "not_found"


async def test_pages_of_the_quarantine(
    server: OfficeServer, device: Device, office: httpx2.AsyncClient
) -> None:
    record, version = await reported(server, device)
    bad = [device.change(record, base=version, fields={"source": f"no {n}"}) for n in range(5)]
    await device.push(*bad)
    seen: list[str] = []
    after = ""
    while True:
        page = (await office.get(f"/v1/quarantine?limit=2{after}")).json()
        seen += [one["id"] for one in page["changes"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == [change.id for change in bad]
