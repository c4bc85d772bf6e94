"""`roundbook doctor` finds each damaged state that a test can make, says what it means, and exits with 1."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.cli import main
from server.storage.engine import transact
from tests.e2e.village import Village
from tests.vaults import TEXT as MASTER_KEY

RECORD = "(SELECT CAST(min(CAST(record_id AS text)) AS {id}) FROM records)"
DAMAGE = {
    "counter": "UPDATE townships SET counter = counter - 1",
    "tip": "UPDATE townships SET tip = tip - 1",
    "register": "UPDATE registers SET last = 0",
    "holdings": "UPDATE holdings SET digest_low = digest_low + 1",
    "digest": "UPDATE records SET digest_high = digest_high + 1 WHERE number IS NOT NULL",
    "history": "DELETE FROM changes WHERE record_id = {record}",
    "rebuild": "UPDATE records SET state = 'done' WHERE number IS NOT NULL",
    "kind": "DELETE FROM kinds WHERE name = 'well'",
    "orphan_record": "UPDATE conflicts SET record_id = {nobody}",
    "orphan_decision": "UPDATE conflicts SET decision = {nobody}",
    "orphan_exit": "UPDATE exits SET record_id = {nobody}",
    "orphan_receipt": "UPDATE receipts SET device_id = {nobody}",
}
NOBODY = "'01900000-0000-7000-8000-000000000000'"


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json", *arguments])
    return int(ended.value.code or 0), json.loads(capsys.readouterr().out)


def bad(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in found["checks"] if check["state"] == "bad"}


@pytest.fixture
def busy(village: Village, monkeypatch: pytest.MonkeyPatch) -> Village:
    """A village with a numbered record, a conflict, an exit and a receipt; whoever looks at it has its master key."""
    monkeypatch.setenv("ROUNDBOOK_MASTER_KEY", MASTER_KEY)
    one, other = village.device("王芳"), village.device("李强")
    well = one.act(one.create("well", title="a", tags=["pump"], visits=1), "report")
    gone = one.create("well", title="b")
    one.sync(), other.sync()
    one.update(one.get(well.id), households=5)
    other.update(other.get(well.id), households=6)
    one.sync(), other.sync()
    village.by_clerk(gone.id, do="delete")
    one.update(one.get(well.id), title="of one"), other.update(other.get(well.id), title="of other")
    other.sync(), one.sync()
    assert {name for name in ("conflicts", "exits", "receipts") if not village.rows(name)[name]} == set()
    return village


def damaged(village: Village, statement: str) -> None:
    kind = "text" if village.url.startswith("sqlite") else "uuid"
    nobody = NOBODY if kind == "text" else f"CAST({NOBODY} AS uuid)"
    whole = statement.format(record=RECORD.format(id=kind), nobody=nobody)

    async def work(connection: AsyncConnection) -> int:
        return (await connection.execute(text(whole))).rowcount

    assert village.run(transact(village.services.engine, work))


def test_a_sound_village_has_nothing_wrong(busy: Village, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = doctor(capsys, "--database", busy.url)
    assert bad(found) == {}
    assert (code, found["ok"]) == (0, True)


@pytest.mark.parametrize("what", DAMAGE)
def test_what_must_never_be_is_found_and_explained(
    busy: Village, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    damaged(busy, DAMAGE[what])
    code, found = doctor(capsys, "--database", busy.url)
    assert (code, found["ok"]) == (1, False)
    check = bad(found)[what]
    assert check["says"].startswith("321283104: ")
    assert check["do"]


def foreign(folder: Path) -> bytes:
    with closing(sqlite3.connect(folder / "foreign.db")) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    return (folder / "foreign.db").read_bytes()


def test_damaged_files_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["migrate", "--data", str(tmp_path)])
    file = tmp_path / "roundbook.db"
    assert doctor(capsys, "--data", str(tmp_path))[0] == 0
    whole = file.read_bytes()
    cases = {
        "cut in the middle": whole[: len(whole) // 2],
        "not a database": b"x" * 9_999,
        "a page overwritten": whole[: len(whole) // 2] + b"\xff" * 4_096 + whole[len(whole) // 2 + 4_096 :],
        "empty": b"",
        "of another program": foreign(tmp_path),
    }
    for name, content in cases.items():
        file.write_bytes(content)
        code, found = doctor(capsys, "--data", str(tmp_path))
        assert code == 1, name
        assert all(check["do"] for check in bad(found).values()), name
        for tail in ("-wal", "-shm"):
            file.with_name(file.name + tail).unlink(missing_ok=True)
    file.with_name(f"{file.name}-wal").write_bytes(b"left over")
    file.unlink()
    code, found = doctor(capsys, "--data", str(tmp_path))
    assert (code, list(bad(found))) == (1, ["database"])
    assert "is gone, but" in bad(found)["database"]["says"]
