"""Records over HTTP, on both databases."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from server.access import guarded
from server.app import create_app
from server.records import paging
from server.settings import Settings
from tests.server.office_server import (
    GRID,
    NEXT_GRID,
    OTHER_TOWN,
    TOWN,
    VILLAGE,
    OfficeServer,
    office_server,
)

JSON = {"content-type": "application/json"}
PHONE = "13812341234"
PARTIES = [{"role": "applicant", "name": "张三", "contact": PHONE}]


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


def matter(key: str = "12345:1", place: str = VILLAGE, **fields: Any) -> dict[str, Any]:
    return {"kind": "matter", "key": key, "place": place, "fields": {"title": "路灯不亮", **fields}}


async def made(client: httpx2.AsyncClient, **parts: Any) -> dict[str, Any]:
    answer = await client.post("/v1/records", json=matter(**parts))
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view


def code_of(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    document = answer.json()
    assert document["status"] == status
    return str(document["code"])


async def test_a_created_matter_is_reported_and_numbered_at_once(server: OfficeServer) -> None:
    client = await server.client()
    view = await made(client)
    assert view["state"] == "reported"
    assert view["number"].startswith(f"{TOWN}-2025-00001")
    assert view["place"] == VILLAGE
    read = await client.get(f"/v1/records/{view['id']}")
    assert read.json() == view
    assert read.headers["etag"] == f'"{view["version"]}"'


async def test_the_same_key_is_the_same_record_and_other_content_is_refused(server: OfficeServer) -> None:
    client = await server.client()
    first = await made(client)
    server.now_ms += 60_000
    again = await client.post("/v1/records", json=matter())
    assert (again.status_code, again.json()) == (200, first)
    assert code_of(await client.post("/v1/records", json=matter(title="别的")), 409) == "key_reused"
    assert code_of(await client.post("/v1/records", json=matter(place=GRID)), 409) == "key_reused"
    other = await server.client(name="司法所")
    assert (await made(other))["id"] != first["id"], "keys are an application's own"
    listed = (await client.get("/v1/records")).json()
    assert len(listed["records"]) == 2


async def test_a_key_means_one_record_in_all_townships_of_a_token(server: OfficeServer) -> None:
    client = await server.client(townships=(TOWN, OTHER_TOWN))
    await made(client, place=TOWN)
    assert code_of(await client.post("/v1/records", json=matter(place=OTHER_TOWN)), 409) == "key_reused"


async def test_entries_of_a_create_get_ids_that_a_repetition_gets_again(server: OfficeServer) -> None:
    client = await server.client()
    references = [{"system": "12345", "number": "1"}, {"system": "12345", "number": "2"}]
    first = await made(client, references=references)
    assert [entry["number"] for _, entry in sorted(first["fields"]["references"].items())] == ["1", "2"]
    again = await client.post("/v1/records", json=matter(references=references))
    assert again.json() == first


async def test_what_is_refused_leaves_nothing(server: OfficeServer) -> None:
    client = await server.client()
    refused = await client.post("/v1/records", json=matter(category="no such"))
    assert code_of(refused, 422) == "invalid_record"
    assert refused.json()["field"] == "category"
    assert "no such" not in refused.text
    for place in (f"{VILLAGE}999", f"{TOWN}999", "nowhere", f"{OTHER_TOWN}203001"):
        answer = await client.post("/v1/records", json=matter(place=place))
        assert code_of(answer, 422) == "invalid_record"
        assert answer.json()["cause"] == "unknown_place"
    unknown = await client.post("/v1/records", json={**matter(), "kind": "well_check"})
    assert unknown.json()["cause"] == "unknown_kind"
    assert code_of(await client.post("/v1/records", json={**matter(), "kind": "visit"}), 403) == "forbidden"
    assert code_of(await client.post("/v1/records", json={"kind": 3}), 400) == "malformed"
    assert (await client.get("/v1/records")).json() == {"records": [], "next": None}
    assert (await client.get("/v1/quarantine")).json()["changes"] == []


async def test_contact_is_masked_without_its_scope_and_a_mask_is_never_written_back(
    server: OfficeServer,
) -> None:
    full = await server.client()
    blind = await server.client("records:read", "records:write", "contact:write", name="只写")
    view = await made(full, parties=PARTIES)
    (entry,) = view["fields"]["parties"]
    assert view["fields"]["parties"][entry]["contact"] == PHONE
    assert not view["masked"]
    masked = (await blind.get(f"/v1/records/{view['id']}")).json()
    assert masked["masked"]
    assert masked["fields"]["parties"][entry] == {
        "role": "applicant",
        "name": "***",
        "contact": "138****1234",
    }
    assert PHONE not in (await blind.get("/v1/records")).text
    assert PHONE not in (await blind.get(f"/v1/records/{view['id']}/history")).text
    patch = {"entries": {"parties": {"edit": {entry: {"contact": "138****1234"}}}}}
    sent_back = await blind.patch(f"/v1/records/{view['id']}", json=patch, headers={"if-match": "*"})
    assert code_of(sent_back, 422) == "invalid_record"
    patch["entries"]["parties"]["edit"][entry]["contact"] = "13900000000"
    changed = await blind.patch(f"/v1/records/{view['id']}", json=patch, headers={"if-match": "*"})
    assert changed.json()["fields"]["parties"][entry]["contact"] == "139****0000"


async def test_contact_is_written_with_its_scope_only(server: OfficeServer) -> None:
    writer = await server.client("records:read", "records:write", name="无联系方式")
    assert code_of(await writer.post("/v1/records", json=matter(parties=PARTIES)), 403) == "forbidden"
    view = await made(writer)
    patch = {"entries": {"parties": {"append": PARTIES}}}
    refused = await writer.patch(f"/v1/records/{view['id']}", json=patch, headers={"if-match": "*"})
    assert code_of(refused, 403) == "forbidden"
    assert refused.json()["scope"] == "contact:write"


async def test_a_patch_merges_with_what_it_does_not_touch(server: OfficeServer) -> None:
    client = await server.client()
    view = await made(client, place=GRID)
    device = await server.device("李四")
    edit = device.change(view["id"], base=view["version"], fields={"narrative": "天黑以后看不见路。"})
    assert [v.result for v in await device.push(edit)] == ["applied"]
    path, seen = f"/v1/records/{view['id']}", {"if-match": f'"{view["version"]}"'}
    merged = await client.patch(path, json={"fields": {"title": "村口路灯不亮"}}, headers=seen)
    assert merged.status_code == 200, merged.text
    assert merged.json()["fields"]["narrative"] == "天黑以后看不见路。"
    stale = await client.patch(path, json={"fields": {"narrative": "另一段。"}}, headers=seen)
    assert code_of(stale, 412) == "version_conflict"
    assert stale.json()["fields"] == ["narrative"]
    same = await client.patch(path, json={"fields": {"title": "村口路灯不亮"}}, headers=seen)
    assert same.json() == merged.json(), "what stands already is no conflict and no change"
    missing = await client.patch(path, json={"fields": {"title": "x"}})
    assert code_of(missing, 428) == "precondition_required"
    for bad in ('"a"', '"1", "2"', "9" * 30):
        answer = await client.patch(path, json={}, headers={"if-match": bad})
        assert code_of(answer, 400) == "malformed"
    future = {"if-match": str(view["version"] + 10**6)}
    ahead = await client.patch(path, json={"fields": {"title": "y"}}, headers=future)
    assert code_of(ahead, 412) == "version_conflict"


async def test_sets_sums_and_entries_travel_as_differences(server: OfficeServer) -> None:
    client = await server.client()
    tags = server.services.registry.latest("matter").fields["tags"].choices  # type: ignore[union-attr]  # it is installed
    one, two, three = (tag.code for tag in tags[:3])
    view = await made(client, tags=[one, two])
    path = f"/v1/records/{view['id']}"
    answer = await client.patch(
        path,
        json={
            "fields": {"tags": [two, three]},
            "entries": {"measures": {"append": [{"text": "查看"}, {"text": "报修"}]}},
        },
        headers={"if-match": f'"{view["version"]}"'},
    )
    fields = answer.json()["fields"]
    assert fields["tags"] == sorted([two, three])
    first, second = sorted(fields["measures"])
    assert [fields["measures"][entry]["text"] for entry in (first, second)] == ["查看", "报修"]
    change = {"edit": {first: {"text": "现场查看"}}, "remove": [second]}
    edited = await client.patch(path, json={"entries": {"measures": change}}, headers={"if-match": "*"})
    assert edited.json()["fields"]["measures"] == {first: {"text": "现场查看"}}
    unknown = {"edit": {server.new_id(): {"text": "没有"}}}
    refused = await client.patch(path, json={"entries": {"measures": unknown}}, headers={"if-match": "*"})
    assert code_of(refused, 422) == "invalid_record"
    whole = await client.patch(path, json={"fields": {"measures": {}}}, headers={"if-match": "*"})
    assert code_of(whole, 422) == "invalid_record"
    items = (await client.get(f"{path}/history")).json()["changes"]
    paths = [effect["path"] for effect in items[1]["effects"]]
    assert f"tags/{one}" in paths
    assert f"tags/{three}" in paths
    assert f"tags/{two}" not in paths


COUNTED = """
[kind]
name = "tally"
version = 1
keep_days = 30
title = { zh = "清点", en = "Tally" }

[fields.persons]
type = "integer"
merge = "sum"
privacy = "plain"
title = { zh = "人次", en = "Persons" }
"""


async def test_a_sum_is_increased_by_the_difference(server: OfficeServer) -> None:
    await server.install(COUNTED)
    server.now_ms += 60_000
    client = await server.client()
    body = {"kind": "tally", "key": "t1", "place": TOWN, "fields": {"persons": 2}}
    view = (await client.post("/v1/records", json=body)).json()
    assert view["state"] is None
    path = f"/v1/records/{view['id']}"
    for total in (3, 5):
        answer = await client.patch(path, json={"fields": {"persons": total}}, headers={"if-match": "*"})
        assert answer.json()["fields"]["persons"] == total
    cleared = await client.patch(path, json={"fields": {"persons": None}}, headers={"if-match": "*"})
    assert code_of(cleared, 422) == "invalid_record"


async def test_a_repeated_request_with_a_key_has_one_effect(server: OfficeServer) -> None:
    client = await server.client()
    view = await made(client)
    path = f"/v1/records/{view['id']}"
    body = {"entries": {"measures": {"append": [{"text": "查看"}]}}}
    headers = {"if-match": "*", "idempotency-key": "k1"}
    first = await client.patch(path, json=body, headers=headers)
    server.now_ms += 5_000
    again = await client.patch(path, json=body, headers=headers)
    assert again.json() == first.json()
    assert len(first.json()["fields"]["measures"]) == 1
    more = await client.patch(path, json=body, headers={**headers, "idempotency-key": "k2"})
    assert len(more.json()["fields"]["measures"]) == 2


async def test_a_record_is_placed_in_what_the_directory_has(server: OfficeServer) -> None:
    client = await server.client()
    view = await made(client, place=TOWN)
    path = f"/v1/records/{view['id']}"
    for place in (f"{VILLAGE}999", OTHER_TOWN, "x"):
        answer = await client.patch(path, json={"place": place}, headers={"if-match": "*"})
        assert code_of(answer, 422) == "invalid_record"
    placed = await client.patch(path, json={"place": GRID}, headers={"if-match": "*"})
    assert placed.json()["place"] == GRID
    seen = {"if-match": str(view["version"])}
    assert (
        code_of(await client.patch(path, json={"place": NEXT_GRID}, headers=seen), 412) == "version_conflict"
    )


async def test_steps_of_the_workflow(server: OfficeServer) -> None:
    client = await server.client()
    device = await server.device("李四")
    create = device.create(fields={"title": "漏水"})
    await device.push(create)
    path = f"/v1/records/{create.record}"
    offered = (await client.get(f"{path}/actions")).json()["actions"]
    assert [one["name"] for one in offered] == ["report"]
    draft = (await client.get(path)).json()
    assert (draft["state"], draft["number"]) == ("draft", None)
    refused = await client.post(f"{path}/actions", json={"action": "close"})
    assert code_of(refused, 403) == "forbidden"
    assert refused.json()["possible"] == ["report"]
    body = {"action": "report", "note": "代报", "fields": {"urgency": None}}
    seen = {"if-match": str(draft["version"]), "idempotency-key": "once"}
    done = await client.post(f"{path}/actions", json=body, headers=seen)
    assert done.json()["state"] == "reported"
    assert done.json()["number"] is not None
    again = await client.post(f"{path}/actions", json=body, headers=seen)
    assert again.json() == done.json()
    stale = await client.post(f"{path}/actions", json=body, headers={"if-match": str(draft["version"])})
    assert code_of(stale, 412) == "version_conflict"
    last = (await client.get(f"{path}/history")).json()["changes"][-1]
    assert (last["action"], last["note"]) == ("report", "代报")
    assert {"path": "state", "before": "draft", "after": "reported"} in last["effects"]


async def test_history_says_who_and_when_and_what(server: OfficeServer) -> None:
    client = await server.client()
    device = await server.device("李四")
    create = device.create(fields={"title": "漏水"}, at=server.now_ms - 3_600_000)
    await device.push(create)
    edit = device.change(
        create.record, on={"title": create.id}, after=create.id, fields={"title": "水管漏水"}
    )
    await device.push(edit)
    page = (await client.get(f"/v1/records/{create.record}/history?limit=1")).json()
    (item,) = page["changes"]
    assert item["change"] == create.id
    assert (item["who"]["author"], item["who"]["author_name"]) == (device.id, "李四")
    assert item["who"]["received_ms"] - item["who"]["at_ms"] == 3_601_000
    assert item["fields"] == {"title": "漏水"}
    rest = (await client.get(f"/v1/records/{create.record}/history?after={page['next']}")).json()
    assert rest["next"] is None
    assert rest["changes"][0]["effects"] == [{"path": "title", "before": "漏水", "after": "水管漏水"}]


async def test_lists_are_filtered_and_paged(server: OfficeServer) -> None:
    client = await server.client(townships=(TOWN, OTHER_TOWN))
    device = await server.device("李四")
    for place, key in ((GRID, "a"), (GRID, "b"), (NEXT_GRID, "c"), (VILLAGE, "d"), (OTHER_TOWN, "e")):
        await made(client, key=key, place=place, narrative="经过。")
    draft = device.create(fields={"title": "漏水"})
    await device.push(draft)

    async def ids(query: str) -> list[str]:
        found: list[str] = []
        after = ""
        while True:
            page = (await client.get(f"/v1/records?limit=2{query}{after}")).json()
            found += [record["id"] for record in page["records"]]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    everything = await ids("")
    assert len(everything) == len(set(everything)) == 6
    assert len(await ids(f"&grid={GRID}")) == 3
    assert len(await ids(f"&village={VILLAGE}")) == 5
    assert len(await ids(f"&township={OTHER_TOWN}")) == 1
    assert await ids("&state=draft") == [draft.record]
    assert len(await ids("&kind=visit")) == 0
    number = (await client.get(f"/v1/records/{everything[0]}")).json()["number"]
    assert number is None or everything[0] in await ids(f"&number={number}")
    version = (await server.state(draft.record)).version
    assert await ids(f"&since={version - 1}&place={TOWN}") == [draft.record]
    assert code_of(await client.get(f"/v1/records?grid={VILLAGE}"), 422) == "invalid_record"
    assert code_of(await client.get("/v1/records?after=nonsense"), 400) == "cursor_invalid"
    assert code_of(await client.get("/v1/records?limit=many"), 400) == "malformed"
    only = (await client.get("/v1/records?fields=narrative,nothing")).json()["records"]
    assert all(set(record["fields"]) <= {"narrative"} for record in only)
    assert len((await client.get("/v1/records?limit=9999")).json()["records"]) == 6


async def test_hostile_input_gets_its_code_and_changes_nothing(server: OfficeServer) -> None:
    client = await server.client()
    view = await made(client)
    path = f"/v1/records/{view['id']}"
    forged = paging.token(paging.Position(TOWN, -1, "not an id"))
    huge = str(2**63)
    for query, status, code in (
        (f"after={forged}", 400, "cursor_invalid"),
        (f"since={huge}", 400, "malformed"),
        ("since=-1", 400, "malformed"),
        (f"after={paging.token(paging.Position(TOWN, 2**70))}", 400, "cursor_invalid"),
    ):
        assert code_of(await client.get(f"/v1/records?{query}"), status) == code, query
        if query.startswith("after"):
            for listed in (f"{path}/history", "/v1/conflicts", "/v1/quarantine"):
                assert code_of(await client.get(f"{listed}?{query}"), status) == code
    for query in ("kind=%00", "state=a%00", "number=%00", "limit=-5"):
        assert (await client.get(f"/v1/records?{query}")).status_code == 200, query
    for body in (
        b"{",
        b'{"fields": {"title": "\\ud800"}}',
        b'{"fields": {"title": "a"}, "surprise": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"fields": {"title": "\xff"}}',
    ):
        answer = await client.patch(path, content=body, headers={**JSON, "if-match": "*"})
        assert code_of(answer, 400) == "malformed", body[:40]
    for title in ("a\0b", "", "长" * 201, 3, None, {"zh": "x"}, 1e400, 2**70):
        edit = json.dumps({"fields": {"title": title}}).encode()
        answer = await client.patch(path, content=edit, headers={**JSON, "if-match": "*"})
        assert answer.status_code in {400, 422}, title
    far = {"fields": {"found_at": "9999-12-31T23:59:59Z"}}
    assert code_of(await client.patch(path, json=far, headers={"if-match": "*"}), 422) == "invalid_record"
    nul = {"fields": {"title": "x"}, "reason": "a\0b"}
    assert code_of(await client.patch(path, json=nul, headers={"if-match": "*"}), 422) == "invalid_record"
    flood = {"entries": {"measures": {"append": [{"text": "x"}] * 501}}}
    assert code_of(await client.patch(path, json=flood, headers={"if-match": "*"}), 422) == "invalid_record"
    big = b'{"fields": {"narrative": "' + b"x" * (5 * 2**20) + b'"}}'
    answer = await client.patch(path, content=big, headers={**JSON, "if-match": "*"})
    assert code_of(answer, 413) == "too_large_request"
    key = {"if-match": "*", "idempotency-key": "k" * 201}
    assert code_of(await client.patch(path, json={}, headers=key), 400) == "malformed"
    assert (await client.get(path)).json() == view


async def test_deleted_records_are_listed_on_request(server: OfficeServer) -> None:
    client = await server.client()
    device = await server.device("李四")
    create = device.create(fields={"title": "漏水"})
    gone = device.change(create.record, do="delete", after=create.id)
    await device.push(create, gone)
    assert (await client.get("/v1/records")).json()["records"] == []
    assert (await client.get("/v1/records?deleted=true")).json()["records"][0]["deleted"]
    assert (await client.get(f"/v1/records/{create.record}")).json()["deleted"]


async def test_what_lies_in_other_townships_does_not_exist(server: OfficeServer) -> None:
    here, there = await server.client(), await server.client(townships=(OTHER_TOWN,), name="别的镇")
    view = await made(here)
    unknown = f"/v1/records/{server.new_id()}"
    for path in ("", "/history", "/actions"):
        hidden = await there.get(f"/v1/records/{view['id']}{path}")
        missing = await there.get(unknown + path)
        assert code_of(hidden, 404) == code_of(missing, 404) == "not_found"
        assert hidden.json() == missing.json()
    edit = {"fields": {"title": "x"}}
    patched = await there.patch(f"/v1/records/{view['id']}", json=edit, headers={"if-match": "*"})
    assert code_of(patched, 404) == "not_found"
    assert code_of(await here.get("/v1/records/not-an-id"), 404) == "not_found"


async def test_each_route_asks_for_its_scope(server: OfficeServer) -> None:
    reader = await server.client("records:read", name="只读")
    reviewer = await server.client("review", name="审核")
    view = await made(await server.client())
    assert (await reader.get(f"/v1/records/{view['id']}")).status_code == 200
    assert code_of(await reader.post("/v1/records", json=matter()), 403) == "forbidden"
    assert code_of(await reader.get("/v1/conflicts"), 403) == "forbidden"
    assert code_of(await reviewer.get("/v1/records"), 403) == "forbidden"
    for token in ("", "rbt.x", "rbt." + "a" * 2_000):
        stranger = server.client_with(token)
        assert code_of(await stranger.get("/v1/records"), 401) == "unauthorised"


async def test_a_route_that_forgets_its_scope_is_closed(server: OfficeServer) -> None:
    from litestar import get

    @get("/v1/forgotten")
    async def forgotten() -> str:
        return "everything"

    server.app = create_app(Settings(), server.services)
    server.app.register(guarded([forgotten]))
    client = await server.client()
    assert code_of(await client.get("/v1/forgotten"), 403) == "forbidden"


async def test_the_schema_describes_bodies_and_problems(server: OfficeServer) -> None:
    client = await server.client()
    schema = (await client.get("/schema/openapi.json")).json()
    create = schema["paths"]["/v1/records"]["post"]
    assert "201" in create["responses"]
    assert "application/problem+json" in create["responses"]["409"]["content"]
    names = set(schema["components"]["schemas"])
    assert {"NewRecord", "RecordView", "Edit", "ProblemDocument"} <= names
