"""Keys as an operator meets them: made, lost, exchanged, replaced while servers run and devices sync."""

import json
import re
from base64 import b64decode
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from client_sdk import FieldClient
from server.storage.engine import compact, snapshot, transact
from server.storage.tables import metadata
from server.vault import service
from server.vault.master import id_of
from server.vault.resealing import reseal
from server.vault.sealing import FENCE, opened, opened_fingerprint
from tests.e2e.processes import serving
from tests.e2e.test_at_rest import FIRST, SECRETS, at_rest, differ, found_in, report
from tests.e2e.test_restore_drill import command, roundbook
from tests.e2e.village import GRID, TOWN, Village
from tests.processes import open_town, run
from tests.vaults import TEXT, keys_in

SEALED = {"records": ("body", "marks"), "changes": ("payload", "effects"), "conflicts": ("sides",)}


def test_an_embedded_server_makes_its_master_key_once_and_no_backup_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = run(folder, "staff", "list")
    key = folder / "master.key"
    assert "Keep a copy of it in another place than the backups" in first.stderr
    assert key.stat().st_mode & 0o077 == 0
    assert "master key" not in run(folder, "staff", "list").stderr
    done = run(folder, "backup", str(tmp_path / "monday.db"))
    assert "The master key is not in it" in done.stderr
    secret = re.search(r"^\S{44}(?= #)", key.read_text(), re.MULTILINE)
    assert secret is not None
    assert secret[0].encode() not in (tmp_path / "monday.db").read_bytes()


def test_a_lost_and_a_wrong_master_key_are_one_clear_sentence(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "monday.db"
    open_town(folder)
    assert run(folder, "backup", str(copy)).returncode == 0
    key, before = folder / "master.key", (folder / "roundbook.db").read_bytes()
    kept = key.read_bytes()
    key.unlink()
    commands = (["serve", "--port", "0"], ["staff", "list"], ["restore", str(copy), "--replace"])
    for one in commands:
        lost = run(folder, *one)
        assert (lost.returncode, lost.stderr.count("\n")) == (1, 1), lost.stderr
        assert "master.key is not there: put the copy of it back" in lost.stderr
        assert not key.exists()  # a new one would hide that the old one is lost
    assert run(folder, "keys", "make", str(key)).returncode == 0
    for one in (commands[0], commands[2], ["doctor", "--json"]):
        wrong = run(folder, *one)
        assert wrong.returncode == 1
        assert "put back the copy of the right master.key" in wrong.stdout + wrong.stderr
    assert (folder / "roundbook.db").read_bytes() == before
    key.write_bytes(kept)
    assert run(folder, *commands[2]).returncode == 0
    doctor = json.loads(run(folder, "doctor", "--json").stdout)
    assert [one["state"] for one in doctor["checks"] if one["name"] == "keys"] == ["well"]


@pytest.mark.slow
def test_a_server_without_a_master_key_refuses_with_the_command_that_makes_one(
    village: Village, tmp_path: Path
) -> None:
    if village.url.startswith("sqlite"):
        (Path(village.url.partition("///")[2]).with_name("master.key")).unlink(missing_ok=True)
    refused = command("serve", "--database", village.url, ROUNDBOOK_MASTER_KEY="")
    assert refused.returncode == 1
    expected = "put the copy of it back" if village.url.startswith("sqlite") else "roundbook keys make FILE"
    assert expected in refused.stderr
    made = command("keys", "make", str(tmp_path / "m.key"))
    again = command("keys", "make", str(tmp_path / "m.key"))
    assert (made.returncode, again.returncode) == (0, 1)
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_keys_are_replaced_while_two_servers_run_and_devices_sync(village: Village) -> None:
    key = village.folder / "given.key"
    key.write_text(TEXT)
    named = {"master_key": "", "master_key_file": str(key)}
    with (
        serving(village.url, village.folder / "one", **named) as (one, _),
        serving(village.url, village.folder / "two", **named) as (two, _),
    ):
        wang, li = over(village, "王芳", one), over(village, "李军", two)
        made = report(wang, FIRST)
        li.sync()
        rotate(village, key)
        rotate(village, key, "--township", TOWN, "--wait", "0")
        differ(wang, li, made)
        second = report(li, "13500135555")
        wang.sync(), li.sync(), wang.sync()
        assert wang.digest() == li.digest()
        assert [one["contact"] for one in wang.get(second.id).fields["parties"].values()] == ["13500135555"]
    lines = [line for line in key.read_text().splitlines() if not line.startswith("#")]
    new = id_of(b64decode(lines[0].split()[0]))
    assert lines[1] == TEXT  # the old one stays, for backups made before
    listed = village.run(service.listed(village.services.engine))
    assert {row.wrapped.master_id for row in listed} == {new}
    data = [row for row in listed if (row.township, row.purpose) == (TOWN, "data")]
    assert [(row.number, row.retired_ms is None) for row in data] == [(1, False), (2, True)]
    for secret in SECRETS:
        assert not found_in(at_rest(village), secret)


def over(village: Village, name: str, url: str) -> FieldClient:
    """A device of a worker, over a real socket."""
    device = village.open(name, transport=None)
    village.code(
        name, GRID
    )  # the worker is added; that code is of the village's clock, not of these servers'
    said = roundbook("device", "code", "--worker", name, "--grid", GRID, "--json", "--database", village.url)
    device.enrol(url, code=json.loads(said)["code"])
    return device


def rotate(village: Village, key: Path, *arguments: str) -> None:
    given = {"ROUNDBOOK_MASTER_KEY": "", "ROUNDBOOK_MASTER_KEY_FILE": str(key)}
    done = command("keys", "rotate", *arguments, "--database", village.url, **given)
    assert done.returncode == 0, done.stderr


def test_what_was_stored_before_there_were_keys_is_sealed_and_stays_as_it_was(village: Village) -> None:
    wang, li = village.device("王芳", GRID), village.device("李军", GRID)
    made = report(wang, FIRST)
    li.sync()
    differ(wang, li, made)
    before = village.rows(*SEALED)
    village.run(transact(village.services.engine, as_before_there_were_keys))
    assert found_in(at_rest(village), FIRST)
    assert village.run(service.ensure(village.services.engine, 1)) == []
    village.run(reseal(village.services.engine, TOWN))
    village.run(compact(village.services.engine))
    raw = at_rest(village)
    for secret in SECRETS:
        assert not found_in(raw, secret), secret
    after = village.rows(*SEALED)
    assert {name: len(rows) for name, rows in before.items()} == {
        name: len(rows) for name, rows in after.items()
    }
    late = village.device("赵六", GRID)
    wang.sync(), li.sync(), late.sync()
    assert wang.digest() == li.digest() == late.digest()

    async def indexed(connection: AsyncConnection) -> int:
        return int(await connection.scalar(text("SELECT count(*) FROM telephones")) or 0)

    assert village.run(snapshot(village.services.engine, indexed)) == 1


async def as_before_there_were_keys(connection: AsyncConnection) -> None:
    """Every sealed row as an older version of Roundbook would have written it."""
    found = await connection.execute(text("SELECT * FROM township_keys"))
    keys = keys_in(dict(row._mapping) for row in found)
    for name, columns in SEALED.items():
        table = metadata.tables[name]
        for row in (await connection.execute(table.select())).mappings().all():
            mine = keys[row["township_id"]]
            plain = {column: opened(bytes(row[column]), mine, row["record_id"]) for column in columns}
            if name == "changes":
                plain["fingerprint"] = opened_fingerprint(bytes(row["fingerprint"]), mine, row["record_id"])
            if name == "records" and any(FENCE in bytes(row[column]) for column in columns):
                high, low = mine.pad(row["record_id"], row["version"])
                plain |= {"digest_high": row["digest_high"] ^ high, "digest_low": row["digest_low"] ^ low}
            where = [column == row[column.name] for column in table.primary_key]
            await connection.execute(update(table).where(*where).values(plain))
    await connection.execute(text("DELETE FROM telephones"))
