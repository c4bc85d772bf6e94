"""What a stolen server database shows: everything that a township does with contact, then a search of the raw bytes."""

import asyncio
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from client_sdk import FieldClient
from client_sdk.record import Record
from tests.e2e.test_restore_drill import roundbook
from tests.e2e.village import GRID, NEXT_GRID, Village

FIRST, SECOND, THIRD, FOURTH = "13800138111", "13900139222", "13700137333", "13600136444"
NAME = "钱多多"
TITLE = "水渠堵塞"
SECRETS = (FIRST, SECOND, THIRD, FOURTH, NAME)


def test_no_contact_can_be_read_in_the_database(village: Village) -> None:
    """Created, edited, in conflict and decided, removed, refused, replayed, offered again: never in plain bytes."""
    wang, li = village.device("王芳", GRID), village.device("李军", GRID)
    made = report(wang, FIRST)
    li.sync()
    differ(wang, li, made)
    (conflict,) = village.office("GET", "/v1/conflicts?status=by_rule")["conflicts"]
    refused = refuse(village, wang)
    raw = at_rest(village)
    assert found_in(raw, TITLE)  # so a value that lies there is found
    for secret in SECRETS:
        assert not found_in(raw, secret), secret
    # All of it is there for whom it is for.
    assert {side["value"] for side in conflict["values"]} == {SECOND, THIRD}
    shown = village.office("GET", f"/v1/records/{made.id}")["fields"]["parties"]
    assert {party["name"] for party in shown.values()} == {NAME}
    assert {party["contact"] for party in shown.values()} == {conflict["stands"]}
    village.office("POST", f"/v1/quarantine/{refused}/replay", {"place": GRID, "reason": "网格写错"})
    pick = {"pick": next(side["change"] for side in conflict["values"] if not side["stands"])}
    village.office("POST", f"/v1/conflicts/{conflict['id']}/resolve", pick, if_match="*")
    wang.sync(), li.sync(), wang.sync()
    assert wang.digest() == li.digest()
    party = next(iter(wang.get(made.id).fields["parties"]))
    wang.remove_entry(wang.get(made.id), "parties", party)
    wang.sync(), li.sync()
    assert wang.digest() == li.digest()
    assert li.get(made.id).fields["parties"] in (None, {})
    raw = at_rest(village)
    for secret in SECRETS:
        assert not found_in(raw, secret), secret


def report(device: FieldClient, phone: str) -> Record:
    made = device.create("matter", grid=GRID, nature="dispute", title=TITLE, people_involved=2)
    made = device.append(made, "parties", role="applicant", name=NAME, contact=phone)
    made = device.act(made, "report")
    assert device.sync().quarantined == 0
    return made


def differ(one: FieldClient, other: FieldClient, made: Record) -> None:
    """Two people write another number for the same party, without having seen each other's."""
    party = next(iter(one.get(made.id).fields["parties"]))
    one.edit_entry(one.get(made.id), "parties", party, contact=SECOND)
    other.edit_entry(other.get(made.id), "parties", party, contact=THIRD)
    one.sync(), other.sync(), one.sync()


def refuse(village: Village, device: FieldClient) -> str:
    """A change that cannot be applied: its grid is not the device's any more."""
    village.set_grids(device, GRID, NEXT_GRID)
    device.sync()
    made = device.create("matter", grid=NEXT_GRID, nature="dispute", title="界址", people_involved=2)
    device.append(made, "parties", role="reporter", name=NAME, contact=FOURTH)
    village.set_grids(device, GRID)
    device.sync()
    waiting = sorted(village.quarantine().values(), key=lambda one: one["n"])
    assert waiting, "nothing was refused"
    return str(waiting[0]["id"])


def at_rest(village: Village) -> bytes:
    """Every byte that somebody finds who takes the database away."""
    url = make_url(village.url)
    if url.drivername.startswith("sqlite"):
        file = Path(str(url.database))
        copy = village.folder / "backup.db"
        roundbook("backup", str(copy), "--force", "--database", village.url)
        return b"".join(path.read_bytes() for path in (*file.parent.glob(f"{file.name}*"), copy))
    return asyncio.run(_dumped(url.set(drivername="postgresql").render_as_string(hide_password=False)))


async def _dumped(dsn: str) -> bytes:
    """Every column of every row of a PostgreSQL, as text and, where it is bytes, as they are."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (table,) in tables:
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):
                found += [
                    value if isinstance(value, bytes) else str(value).encode() for value in row.values()
                ]
        return b"\n".join(found)
    finally:
        await connection.close()


def found_in(raw: bytes, secret: str) -> bool:
    """Whether a value stands there, plain or as JSON escapes it."""
    escaped = secret.encode("unicode_escape")
    return any(form in raw for form in (secret.encode(), escaped, escaped.replace(b"\\u", b"\\\\u")))
