"""The commands as people and programs meet them, and the routes as people who have signed in do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.privacy.listing import lines_in
from tests.e2e.village import GRID, TOWN, Village
from tests.server.office_server import OfficeServer, office_server
from tests.server.people import signed_in
from tests.server.test_cli import Run, anywhere, run

__all__ = ["anywhere", "run"]
WORDS = "灌渠被截断"
WHY = ("--reason", "本人申请")


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


NEW = {
    "kind": "matter",
    "key": "12345:1",
    "place": GRID,
    "fields": {"title": "水渠", "nature": "service", "narrative": WORDS},
}


def test_a_matter_is_shown_held_lifted_and_erased_by_command(
    village: Village, run: Run, tmp_path: Path
) -> None:
    number = village.office("POST", "/v1/records", NEW)["number"]
    listed = ("--data", tmp_path)
    shown = run("matter", "held", number, *WHY, "--json")
    assert (shown.code, shown.json["record"]["number"], shown.json["erasure"]) == (0, number, None)
    plain = run("matter", "held", number, *WHY).out
    assert number in plain
    assert WORDS in plain
    assert run("matter", "hold", number, "--reason", "法院调取").code == 0
    refused = run("matter", "erase", number, *WHY, *listed)
    assert "a legal hold stands on this record" in refused.sentence.lower()
    assert "已依法留存" in refused.sentence
    assert run("matter", "lift", number, "--reason", "案件已结", "--json").json["holds"][0]["lifted_ms"]
    done = run("matter", "erase", number, *WHY, *listed, "--json").json
    assert (done["number"], done["now"], done["listed"]) == (number, True, True)
    assert "was erased already" in run("matter", "erase", number, *WHY, *listed).out
    assert [line.number for line in lines_in(tmp_path / "erasures.jsonl") if not isinstance(line, int)] == [
        number
    ]
    assert [row["number"] for row in run("erasures", "list", *listed, "--json").json] == [number]
    assert run("erasures", "apply", *listed, "--json").json == {
        "erased": 0, "already": 1, "held": [], "refused": 0,
    }  # fmt: skip
    assert "There is no such thing" in run("matter", "erase", f"{TOWN}-2026-99999", *WHY).sentence
    assert "reason" in run("matter", "erase", number, "--reason", "无").sentence
    assert run("audit", "verify").code == 0
    acts = [row["act"] for row in run("audit", "list", "--township", TOWN, "--json").json]
    assert acts[-5:] == ["matter_shown", "matter_shown", "hold_set", "hold_lifted", "record_erased"]


def test_lengths_are_listed_set_carried_out_and_told(village: Village, run: Run) -> None:
    village.office("POST", "/v1/records", NEW)
    town = ("--township", TOWN)
    found = {row["kind"]: row for row in run("retention", "list", *town, "--json").json}
    assert (found["matter"]["on_server"], found["visit"]["on_devices"]) == (3_650, 30)
    why = ("--reason", "县档案局3号文")
    assert run("retention", "set", "matter", "100", *town, *why, "--json").json["source"] == "set"
    assert "forever" in run("retention", "set", "matter", "forever", *town, *why).out
    assert run("retention", "set", "matter", "declared", *town, *why, "--json").json["on_server"] == 3_650
    for wrong in ("0", "36501", "-3", "ten", "9" * 30):
        assert run("retention", "set", "matter", wrong, *town, *why).code != 0
    assert "There is no kind" in run("retention", "set", "mater", "3", *town, *why).sentence
    assert run("retention", "run", "--dry-run", "--json").json == {"dry_run": True, "done": []}
    assert run("retention", "run", *town, "--json").json == {"dry_run": False, "done": []}
    assert "Nothing has been kept long enough" in run("retention", "run").out
    assert run("retention", "report", *town, "--json").json == []
    assert "is not open here" in run("retention", "list", "--township", "999999999").sentence


async def test_over_http_people_do_it_and_are_told_in_codes(server: OfficeServer) -> None:
    async with await server.client() as hotline:
        number = (await hotline.post("/v1/records", json=NEW)).json()["number"]
    chief = (await signed_in(server, "administrator", "钱主任")).browser
    clerk = (await signed_in(server, "clerk", "陈静")).browser
    path, why = f"/v1/matters/{number}", {"reason": "本人申请"}
    assert (await clerk.post(f"{path}/held", json=why)).json()["record"]["number"] == number
    assert (await clerk.post(f"{path}/erase", json=why)).status_code == 403
    found = await clerk.post("/v1/narrative-search", json={"text": "灌渠", "reason": "同类排查"})
    assert [one["number"] for one in found.json()["found"]] == [number]
    assert (await chief.post(f"{path}/hold", json=why)).status_code == 200
    held = await chief.post(f"{path}/erase", json=why)
    assert (held.status_code, held.json()["code"]) == (409, "on_hold")
    assert (await chief.post(f"{path}/lift", json=why)).status_code == 200
    erased = await chief.post(f"{path}/erase", json=why)
    assert (erased.status_code, erased.json()["now"]) == (200, True)
    again = await chief.post(f"{path}/hold", json=why)
    assert (again.status_code, again.json()["code"]) == (410, "erased")
    assert (await chief.post(f"{path}/erase", json={"reason": ""})).status_code == 422
    assert (await clerk.post("/v1/narrative-search", json={"text": "灌渠", "reason": ""})).status_code == 422
