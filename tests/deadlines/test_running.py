"""The service keeps deadlines by itself: real processes, the system's clock, `roundbook deadlines run` beside them."""

import json
import time
from pathlib import Path

import httpx2

from tests.processes import GRID, TOWN, run, serving

LIST = Path(__file__).parents[2] / "server" / "directory" / "data" / "villages_3_counties.csv"
PATIENCE_S = 120
NEW = {"kind": "matter", "key": "1", "place": GRID, "fields": {"title": "来信", "source": "letter"}}


def said(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_deadlines_are_there_soon_after_a_matter_was_reported(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    said(folder, "directory", "import", str(LIST))
    said(folder, "township", "open", TOWN)
    scopes = ("--scope", "records:read", "--scope", "records:write")
    added = said(folder, "application", "add", "--name", "热线", *scopes, "--township", TOWN, "--json")
    headers = {"authorization": f"Bearer {json.loads(added)['token']}"}
    with (
        serving(folder, "--workers", "2", ROUNDBOOK_DEADLINES_S="1") as server,
        httpx2.Client(base_url=server.url, headers=headers) as office,
    ):
        record = office.post("/v1/records", json=NEW).json()["id"]
        until = time.monotonic() + PATIENCE_S
        found: list[str] = []
        while not found and time.monotonic() < until:
            time.sleep(0.2)
            answer = office.get(f"/v1/records/{record}/deadlines")
            found = [one["rule"] for one in answer.json()["deadlines"]]
        assert set(found) == {"owner_by_night", "resolve", "statutory_reply"}
        assert json.loads(said(folder, "deadlines", "run", "--json")) == [
            {"township": TOWN, "reckoned": 0, "told": 0}
        ]
    with (
        serving(folder, ROUNDBOOK_DEADLINES_S="0") as server,
        httpx2.Client(base_url=server.url, headers=headers) as office,
    ):
        record = office.post("/v1/records", json={**NEW, "key": "2"}).json()["id"]
        assert office.get(f"/v1/records/{record}/deadlines").json()["deadlines"] == []
        (done,) = json.loads(said(folder, "deadlines", "run", "--json"))
        assert done["reckoned"] == 1
        assert len(office.get(f"/v1/records/{record}/deadlines").json()["deadlines"]) == 3
