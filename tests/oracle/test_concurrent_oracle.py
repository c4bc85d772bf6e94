"""234 records that two sides of real git merges both edited, by two real devices on the same synced base.

What each side meant is known from the file alone; nothing of the merge is asked. A side that removed a field
clears it here. The classes of the file say what the people then did by hand, which is no oracle for a machine.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

from client_sdk import FieldClient, Record
from client_sdk.loopback import LoopbackTransport
from server.devices.service import give_code
from server.staff.service import Candidate, add
from tests.server.office_server import GRID, TOWN, OfficeServer
from tests.wiring import application

Edits = list[dict[str, dict[str, str]]]
"""For each record: field to side to value, as JSON text; a side that lacks the field is missing."""
Values = dict[str, str | None]


def real_edits(folder: Path) -> Edits:
    lines = (folder / "concurrent" / "openaddresses_merges.jsonl").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines:
        fields = json.loads(line)["fields"]
        sides = ("base", "ours", "theirs")
        found.append(
            {
                f"f{at}": {side: json.dumps(fields[name][side]) for side in sides if side in fields[name]}
                for at, name in enumerate(sorted(fields))
            }
        )
    return found


def kind_of(edits: Edits) -> str:
    """One kind with as many fields as the largest record needs."""
    title = 'title = { zh = "栏目", en = "Field" }'
    head = '[kind]\nname = "source_entry"\nversion = 1\ntitle = { zh = "数据源", en = "Source" }\n'
    body = f'type = "text"\nmerge = "latest"\nprivacy = "plain"\nmax_length = 4000\n{title}\n'
    return head + "".join(f"\n[fields.f{at}]\n{body}" for at in range(max(map(len, edits))))


def side_of(edit: dict[str, dict[str, str]], side: str) -> Values:
    return {name: values.get(side) for name, values in edit.items()}


@contextmanager
def two_devices(
    url: str, folder: Path, kind: str
) -> Iterator[tuple[OfficeServer, LoopbackTransport, list[FieldClient]]]:
    """The real application, and two enrolled devices of one grid."""
    server = OfficeServer(url)

    def tick() -> int:
        server.now_ms += 10
        return server.now_ms

    async def code(worker: str) -> str:
        engine, random = server.services.engine, server.random
        await add(engine, Candidate(worker, "grid_worker", TOWN), now_ms=server.now_ms, random=random)
        given = await give_code(
            engine, worker, [GRID], lifetime_ms=600_000, now_ms=server.now_ms, random=random
        )
        return given.code

    with (
        application(server.services) as server.app,
        LoopbackTransport(server.app) as link,
        ExitStack() as stack,
    ):
        link.run(server.prepare())
        link.run(server.install(kind))
        link.run(server.services.registry.refresh())
        devices = []
        for n, worker in enumerate(("王芳", "李强")):
            device = FieldClient.open(
                folder / f"{n}.rbk",
                passphrase="x" * 12,
                transport=link,
                clock=tick,
                random=Random(n).randbytes,
            )
            stack.callback(device.close)
            device.enrol("http://loopback", code=link.run(code(worker)))
            devices.append(device)
        yield server, link, devices


async def conflicts(server: OfficeServer) -> list[dict[str, Any]]:
    """Every conflict that the office can see, whoever decided it."""
    found: list[dict[str, Any]] = []
    async with await server.client() as office:
        for status in ("open", "by_rule"):
            after: str | None = ""
            while after is not None:
                asked = {"status": status, **({"after": after} if after else {})}
                answer = await office.get("/v1/conflicts", params=asked)
                assert answer.status_code == 200, answer.text
                found += answer.json()["conflicts"]
                after = answer.json()["next"]
    return found


def edit(device: FieldClient, seen: Record, wanted: Values) -> None:
    changed: dict[str, Any] = {
        name: value for name, value in wanted.items() if value != seen.fields.get(name)
    }
    if changed:
        device.update(seen, **changed)


def test_no_value_is_lost_and_only_what_both_changed_is_a_conflict(
    shared_data: Path, database_url: str, tmp_path: Path
) -> None:
    edits = real_edits(shared_data)
    assert len(edits) == 234
    with two_devices(database_url, tmp_path, kind_of(edits)) as (server, link, (ours, theirs)):
        bases: list[dict[str, Any]] = [
            {name: value for name, value in side_of(one, "base").items() if value is not None}
            for one in edits
        ]
        made = [ours.create("source_entry", **values).id for values in bases]
        assert ours.sync().applied == len(made)
        theirs.sync()
        for record, one in zip(made, edits, strict=True):  # both offline, on the same screens
            edit(ours, ours.get(record), side_of(one, "ours"))
            edit(theirs, theirs.get(record), side_of(one, "theirs"))
        reports = [ours.sync(), theirs.sync(), ours.sync()]
        assert all(report.complete and not report.reread and not report.quarantined for report in reports)
        assert ours.digest() == theirs.digest()
        listed = {(found["record"], found["path"]): found for found in link.run(conflicts(server))}
        standing = {record: (ours.get(record).fields, theirs.get(record).fields) for record in made}

    expected: set[tuple[str, str]] = set()
    for record, one in zip(made, edits, strict=True):
        for name in one:
            base, mine, other = (side_of(one, side)[name] for side in ("base", "ours", "theirs"))
            stands = {shown.get(name) for shown in standing[record]}
            assert len(stands) == 1, "both devices show the same"
            if base not in {mine, other} and mine != other:
                expected.add((record, name))
                found = listed[record, name]
                assert found["base"] == base
                assert {side["value"] for side in found["values"]} == {mine, other}
                assert stands <= {mine, other}
            else:
                assert stands == {mine if other == base else other}, (record, name)
    assert listed.keys() == expected
    disjoint = [
        record for record, one in zip(made, edits, strict=True) if not {(record, n) for n in one} & expected
    ]
    assert (len(expected) > 20, len(disjoint) > 181) == (True, True)
