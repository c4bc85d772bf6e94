"""Conflicts over HTTP: every sort of path, two reviewers at once, both values kept and either restored (G7)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from sync_protocol.changes import Act, Put
from tests.server.office_server import GRID, NEXT_GRID, OTHER_TOWN, Device, OfficeServer, office_server
from tests.server.test_records_api import code_of

PARTY = "0198a000-0000-7000-8000-000000000001"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


class Round:
    """Two workers who both hold one reported matter, and a reviewer."""

    def __init__(self, server: OfficeServer, one: Device, two: Device, office: httpx2.AsyncClient) -> None:
        self.server, self.one, self.two, self.office = server, one, two, office
        self.record = ""
        self.version = 0

    async def begin(self, **fields: Any) -> None:
        body = {"kind": "matter", "key": "k", "place": GRID, "fields": {"title": "路灯不亮", **fields}}
        view = (await self.office.post("/v1/records", json=body)).json()
        self.record, self.version = view["id"], view["version"]

    async def write(self, device: Device, **parts: Any) -> str:
        """An edit of the record as it was created; its verdict."""
        change = device.change(self.record, **{"base": self.version, **parts})
        return (await device.push(change))[0].result

    async def conflicts(self, status: str = "open") -> list[dict[str, Any]]:
        answer = await self.office.get(f"/v1/conflicts?status={status}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["conflicts"]
        return found

    async def only(self, status: str = "open") -> dict[str, Any]:
        (found,) = await self.conflicts(status)
        return found

    async def resolve(
        self, conflict: str, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx2.Response:
        return await self.office.post(f"/v1/conflicts/{conflict}/resolve", json=body, headers=headers or {})

    async def value(self, field: str) -> Any:
        return (await self.server.state(self.record)).values.get(field)


@pytest.fixture
async def village(server: OfficeServer) -> Round:
    one, two = await server.device("李四"), await server.device("王五")
    return Round(server, one, two, await server.client())


async def test_both_values_are_shown_and_the_office_decides(village: Round) -> None:
    """Failures, row 9: over HTTP."""
    await village.begin(people_involved=3)
    assert await village.write(village.one, fields={"people_involved": 5}) == "applied"
    late = village.server.now_ms - 7_200_000
    assert await village.write(village.two, at=late, fields={"people_involved": 7}) == "conflict"
    found = await village.only()
    assert (found["path"], found["rule"], found["base"], found["stands"]) == (
        "people_involved",
        "review",
        3,
        5,
    )
    first, second = found["values"]
    assert (first["value"], first["stands"], first["who"]["author_name"]) == (5, True, "李四")
    assert (second["value"], second["stands"], second["who"]["author_name"]) == (7, False, "王五")
    assert second["who"]["at_ms"] == late
    assert second["who"]["received_ms"] == village.server.now_ms
    shown = (await village.office.get(f"/v1/conflicts/{found['id']}")).json()
    assert shown["rest"]["fields"]["title"] == "路灯不亮"

    decided = await village.resolve(found["id"], pick=second["change"], reason="两家都在场")
    assert decided.status_code == 200, decided.text
    assert (decided.json()["status"], decided.json()["stands"]) == ("decided", 7)
    assert decided.json()["decision"] is not None
    assert await village.value("people_involved") == 7
    assert await village.conflicts() == []
    one, two = await village.server.receipts(village.one), await village.server.receipts(village.two)
    assert [(r.outcome, r.reason) for r in one] == [("not_kept", "两家都在场")]
    assert [(r.outcome, r.path) for r in two] == [("kept", "people_involved")]


async def test_keeping_what_stands_is_a_decision_and_tells_both(village: Round) -> None:
    await village.begin()
    await village.write(village.one, fields={"people_involved": 5})
    await village.write(village.two, fields={"people_involved": 7})
    found = await village.only()
    assert (await village.resolve(found["id"], value=5)).json()["status"] == "decided"
    assert [r.outcome for r in await village.server.receipts(village.one)] == ["kept"]
    assert [r.outcome for r in await village.server.receipts(village.two)] == ["not_kept"]
    # A value that the office decided is not overwritten by somebody who has not seen the decision.
    assert await village.write(village.one, fields={"people_involved": 9}) == "conflict"
    assert await village.value("people_involved") == 5


async def test_one_action_restores_the_value_that_a_rule_displaced(village: Round) -> None:
    """Failures, row 9: over HTTP."""
    await village.begin()
    await village.write(village.one, fields={"title": "东头路灯"})
    village.server.now_ms += 60_000
    assert await village.write(village.two, fields={"title": "西头路灯"}) == "conflict"
    assert await village.value("title") == "西头路灯"
    found = await village.only("by_rule")
    assert await village.conflicts("open") == []
    lost = next(side for side in found["values"] if not side["stands"])
    await village.resolve(found["id"], pick=lost["change"])
    assert await village.value("title") == "东头路灯"
    assert await village.only("decided")
    assert await village.conflicts("by_rule") == []


async def test_of_two_reviewers_the_second_is_told(village: Round) -> None:
    await village.begin()
    await village.write(village.one, fields={"people_involved": 5})
    await village.write(village.two, fields={"people_involved": 7})
    found = await village.only()
    answers = await asyncio.gather(*(village.resolve(found["id"], value=n) for n in (1, 2)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (loser,) = [answer for answer in answers if answer.status_code == 409]
    assert code_of(loser, 409) == "already_decided"
    assert await village.value("people_involved") in {1, 2}
    path = f"/v1/records/{village.record}"
    later = await village.office.patch(
        path, json={"fields": {"people_involved": 4}}, headers={"if-match": "*"}
    )
    assert later.json()["fields"]["people_involved"] == 4


async def test_a_repeated_decision_has_its_first_answer(village: Round) -> None:
    await village.begin()
    await village.write(village.one, fields={"people_involved": 5})
    await village.write(village.two, fields={"people_involved": 7})
    found = await village.only()
    key = {"idempotency-key": "r1"}
    first = await village.resolve(found["id"], key, value=6)
    again = await village.resolve(found["id"], key, value=6)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await village.server.receipts(village.one)) == 1


async def test_a_decision_about_something_else_than_was_shown_is_refused(village: Round) -> None:
    await village.begin()
    await village.write(village.one, fields={"people_involved": 5})
    await village.write(village.two, fields={"people_involved": 7})
    found = await village.only()
    seen = {"if-match": f'"{found["version"]}"'}
    three = await village.server.device("赵六")
    assert await village.write(three, fields={"people_involved": 8}) == "conflict"
    joined = await village.resolve(found["id"], seen, value=5)
    assert code_of(joined, 412) == "version_conflict"
    path = f"/v1/records/{village.record}"
    await village.office.patch(path, json={"fields": {"people_involved": 4}}, headers={"if-match": "*"})
    moved = await village.resolve(found["id"], seen, value=5)
    assert code_of(moved, 412) == "version_conflict"
    await village.office.patch(path, json={"fields": {"urgency": None}}, headers={"if-match": "*"})
    now = await village.only()
    assert len(now["values"]) == 3
    fresh = {"if-match": f'"{now["version"]}"'}
    assert (await village.resolve(now["id"], fresh, value=5)).status_code == 200


async def test_a_lost_step_of_the_workflow_is_restored_where_a_step_leads(village: Round) -> None:
    await village.begin()
    settle = Act("settle", "reported", "settled")
    assert await village.write(village.one, act=settle) == "applied"
    again = Act("settle", "reported", "settled")
    assert await village.write(village.two, act=again) in {"applied", "merged"}, "both wanted the same"

    other = Act("report", "draft", "reported")
    change = village.two.change(village.record, base=village.version, act=other)
    assert (await village.two.push(change))[0].result == "conflict"
    found = await village.only()
    assert (found["path"], found["stands"]) == ("state", "settled")
    refused = await village.resolve(found["id"], value="reported")
    assert code_of(refused, 422) == "invalid_record"
    assert refused.json()["cause"] == "not_permitted"
    assert "returned" in refused.json()["possible"]
    needs_words = await village.resolve(found["id"], value="returned")
    assert code_of(needs_words, 422) == "invalid_record"
    assert needs_words.json()["cause"] == "missing_field"
    decided = await village.resolve(found["id"], value="returned", reason="请补地点")
    assert decided.json()["stands"] == "returned"
    assert [r.outcome for r in await village.server.receipts(village.two)] == ["not_kept"]


async def test_a_state_may_be_left_as_it_stands(village: Round) -> None:
    await village.begin()
    await village.write(village.one, act=Act("settle", "reported", "settled"))
    await village.write(village.two, act=Act("report", "draft", "reported"))
    found = await village.only()
    decided = await village.resolve(found["id"], value="settled")
    assert (decided.json()["status"], decided.json()["stands"]) == ("decided", "settled")
    outcomes = {
        d.id: [r.outcome for r in await village.server.receipts(d)] for d in (village.one, village.two)
    }
    assert outcomes == {village.one.id: ["kept"], village.two.id: ["not_kept"]}


async def test_a_sub_field_of_an_entry(village: Round) -> None:
    await village.begin(measures=[{"text": "查看"}])
    (entry,) = await village.value("measures")
    await village.write(village.one, ops=[put("measures", entry, by="甲")])
    village.server.now_ms += 60_000
    assert await village.write(village.two, ops=[put("measures", entry, by="乙")]) == "conflict"
    found = await village.only("by_rule")
    assert (found["path"], found["stands"]) == (f"measures/{entry}/by", "乙")
    await village.resolve(found["id"], value="甲")
    assert (await village.value("measures"))[entry]["by"] == "甲"


def put(field: str, entry: str, **values: Any) -> Put:
    import msgspec

    return Put(field, entry, msgspec.Raw(msgspec.json.encode(values)))


async def test_a_record_that_one_deleted_and_another_edited(village: Round) -> None:
    server = village.server
    create = village.one.create(fields={"title": "误报"})
    await village.one.push(create)
    village.record, village.version = create.record, (await server.state(create.record)).version
    assert await village.write(village.two, fields={"title": "不是误报"}) == "applied"
    delete = village.one.change(village.record, do="delete", base=village.version)
    assert (await village.one.push(delete))[0].result == "conflict"
    found = await village.only("by_rule")
    assert (found["path"], found["stands"]) == ("", "kept")
    assert code_of(await village.resolve(found["id"], value="gone"), 422) == "invalid_record"
    await village.resolve(found["id"], value="deleted", reason="重复")
    assert (await server.state(village.record)).deleted
    assert (await village.office.get("/v1/records")).json()["records"] == []


async def test_a_deleted_record_is_brought_back_by_decision(village: Round) -> None:
    server = village.server
    create = village.one.create(fields={"title": "误报"})
    await village.one.push(create)
    village.record, village.version = create.record, (await server.state(create.record)).version
    await village.write(village.two, fields={"title": "不是误报"})
    await village.write(village.one, do="delete")
    assert not (await server.state(village.record)).deleted
    seen = (await server.state(village.record)).version
    assert await village.write(village.one, do="delete", base=seen) == "applied"
    found = await village.only("by_rule")
    assert found["stands"] == "deleted"
    decided = await village.resolve(found["id"], value="kept")
    assert decided.json()["stands"] == "kept"
    assert (await server.state(village.record)).values["title"] == "不是误报"


async def test_where_a_record_lies(village: Round) -> None:
    await village.begin()
    path, seen = f"/v1/records/{village.record}", {"if-match": str(village.version)}
    await village.office.patch(path, json={"place": NEXT_GRID}, headers=seen)
    assert code_of(await village.office.patch(path, json={"place": GRID[:12]}, headers=seen), 412)
    from sync_protocol.outcome import Side, Sides
    from tests.server.conflict_rows import add_conflict

    state = await village.server.state(village.record)
    writer = state.marks.writers[0]
    sides = Sides(GRID, (Side(NEXT_GRID, writer), Side(GRID, writer)))
    conflict = await add_conflict(village.server, village.record, "place", sides)
    assert code_of(await village.resolve(conflict, value=f"{OTHER_TOWN}203001"), 422) == "invalid_record"
    decided = await village.resolve(conflict, value=GRID)
    assert decided.json()["stands"] == GRID


async def test_contact_is_masked_and_may_be_picked_unseen(village: Round) -> None:
    await village.begin(parties={PARTY: {"role": "applicant"}})
    await village.write(village.one, ops=[put("parties", PARTY, contact="13812341234")])
    village.server.now_ms += 60_000
    await village.write(village.two, ops=[put("parties", PARTY, contact="13900001111")])
    blind = await village.server.client("review", name="审核")
    (found,) = (await blind.get("/v1/conflicts?status=by_rule")).json()["conflicts"]
    assert [side["value"] for side in found["values"]] == ["139****1111", "138****1234"]
    assert found["stands"] == "139****1111"
    path = f"/v1/conflicts/{found['id']}/resolve"
    assert code_of(await blind.post(path, json={"value": "13700000000"}), 403) == "forbidden"
    assert "13812341234" not in (await blind.get(path.removesuffix("/resolve"))).text
    masked = await village.resolve(found["id"], value="138****1234")
    assert code_of(masked, 422) == "invalid_record"
    picked = await blind.post(path, json={"pick": found["values"][1]["change"]})
    assert picked.status_code == 200
    assert (await village.value("parties"))[PARTY]["contact"] == "13812341234"


async def test_bad_choices(village: Round) -> None:
    await village.begin()
    await village.write(village.one, fields={"people_involved": 5})
    await village.write(village.two, fields={"people_involved": 7})
    found = await village.only()
    for body in ({}, {"value": 5, "pick": found["values"][0]["change"]}):
        assert code_of(await village.resolve(found["id"], None, **body), 400) == "malformed"
    assert code_of(await village.resolve(found["id"], pick=village.record), 422) == "invalid_record"
    assert code_of(await village.resolve(found["id"], value="many"), 422) == "invalid_record"
    assert code_of(await village.resolve(village.server.new_id(), value=5), 404) == "not_found"
    other = await village.server.client(townships=(OTHER_TOWN,), name="别的镇")
    assert code_of(await other.get(f"/v1/conflicts/{found['id']}"), 404) == "not_found"
    assert (await other.get("/v1/conflicts")).json() == {"conflicts": [], "next": None}
    assert code_of(await village.office.get("/v1/conflicts?status=all"), 400) == "malformed"
    assert await village.only(), "nothing was decided"


async def test_pages_of_conflicts(village: Round) -> None:
    await village.begin()
    many = {"people_involved": 5, "title": "甲", "source": None, "place_description": "村东"}
    await village.write(village.one, fields=many)
    village.server.now_ms += 60_000
    await village.write(village.two, fields={"title": "乙", "place_description": "村西"})
    seen: list[str] = []
    after = ""
    while True:
        page = (await village.office.get(f"/v1/conflicts?status=by_rule&limit=1{after}")).json()
        seen += [one["path"] for one in page["conflicts"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == ["place_description", "title"], "one change opened both"
    of_record = await village.office.get(f"/v1/conflicts?status=by_rule&record={village.record}")
    assert len(of_record.json()["conflicts"]) == 2
    assert (await village.office.get("/v1/conflicts?record=nonsense")).json()["conflicts"] == []
