"""The recorded examples of the exchange. Those of rows 29 to 32 of the failures we know are in executions.py.

Ids are made up for readers: records end in aa0*, changes of device A in a0*, of B in b0*, of the clerk in
c0*, entries in ee0*.
"""

import hashlib
import zlib
from typing import Any, Final

import msgspec
import zstandard

from sync_protocol.ids import uuid8
from sync_protocol.versions import CURRENT
from tests.docs.device import SYNC
from tests.docs.story import ENROL, JSON, Story
from tests.docs.world import GRID_1, GRID_2, START_MS

WELL, WELL_2 = "0193b000-0000-7000-8000-0000000aa001", "0193b000-0000-7000-8000-0000000aa002"
ENTRY: Final = "0193b000-0000-7000-8000-0000000ee001"
NEVER: Final = "0193b000-0000-7000-8000-0000000aa0ff"


def change_id(author: str, number: int) -> str:
    """The id of a change of device A or B, or of the clerk (C)."""
    return f"0193b000-0000-7000-8000-00000000{author.lower()}{number:03x}"


def said(author: str, n: int, record: str, *, number: int | None = None, **parts: Any) -> dict[str, Any]:
    """A change of A or B with counter `n`; `number` names its id where the two differ."""
    return {
        "id": change_id(author, number if number is not None else n),
        "record": record,
        "kind": "well",
        "version": 1,
        "n": n,
        **parts,
    }


def by_clerk(number: int, record: str, base: int, **parts: Any) -> dict[str, Any]:
    """A change of the clerk, who saw everything up to `base`."""
    return said("C", 0, record, number=number, base=base, **parts)


def new_well(author: str, n: int, record: str = WELL, **fields: Any) -> dict[str, Any]:
    """A well that is reported at once."""
    act = {"name": "report", "from": "draft", "to": "reported"}
    values = {"title": "村东水井", "households": 12, **fields}
    return said(author, n, record, do="create", place=GRID_1, fields=values, act=act)


async def enrolment(story: Story) -> None:
    """A device shows its one-time code, loses the answer, shows it again; somebody else cannot use it."""
    device = story.new_device("A")
    code = await story.code("A", [GRID_1])
    asked = {"protocol": CURRENT, "code": code, "public_key": device.public_key, "client": "example/1"}
    for says in ("the device shows the code and its public key", "the answer was lost: the same again"):
        await story.request(says, ENROL, _json(asked), JSON)
    other = story.new_device("B")
    await story.request(
        "another device shows the same code", ENROL, _json({**asked, "public_key": other.public_key}), JSON
    )


async def first_sync(story: Story) -> None:
    """The first sync of a device carries a new record up; the page names it as `own`."""
    device = await story.enrolled("A")
    await story.sync(device, "a well is reported; its registration number comes back", [new_well("A", 1)])
    await story.sync(device, "nothing to send, nothing new: the complete page is empty")


async def resend(story: Story) -> None:
    """The answer to an upload is lost. The same change again gets its first verdict, marked as duplicate."""
    device = await story.enrolled("A")
    well = new_well("A", 1)
    await story.sync(device, "a well is reported, and the answer is lost", [well], lost=True)
    body = device.body(story.world.now_ms, [well])
    packed = zstandard.ZstdCompressor(level=3).compress(body)
    headers = {**JSON, "content-encoding": "zstd", "accept-encoding": "zstd, gzip", **device.headers(packed)}
    says = "the same change again, compressed with zstd; the signature covers the compressed bytes"
    await story.request(says, SYNC, body, headers, travels=packed)
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    body = device.body(story.world.now_ms, [well])
    packed = packer.compress(body) + packer.flush()
    headers = {**JSON, "content-encoding": "gzip", **device.headers(packed)}
    await story.request("and once more, with gzip", SYNC, body, headers, travels=packed)


async def merged(story: Story) -> None:
    """Two devices edit one record without seeing each other; nothing is lost and nobody is asked."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    note = "井台完好。水泵有异响。水质清澈。"
    await story.sync(a, "A reports a well", [new_well("A", 1, note=note, tags=["pump"])])
    await story.sync(b, "B downloads it")
    seen = b.bases[WELL].version
    edit = said("B", 1, WELL, base=seen, fields={"note": note.replace("井台完好", "井台开裂"), "depth": 8.5})
    visit = said(
        "B", 2, WELL, base=seen, ops=[_op("increment", "visits", by=1), _op("add", "tags", value="road")]
    )
    await story.sync(b, "B changes the first sentence, the depth, a tag, and counts a visit", [edit, visit])
    mine = {"note": note.replace("清澈", "浑浊"), "depth": 7.0}
    ops = [_op("increment", "visits", by=1), _op("remove", "tags", value="pump")]
    late = said("A", 2, WELL, base=seen, fields=mine, ops=ops)
    await story.sync(a, "A, who has not seen that, changes the last sentence, and more", [late])
    await story.sync(b, "B reads what became of it")


async def conflict(story: Story) -> None:
    """Two devices write the same fields: one value stands by rule, one waits for the office; both are kept."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports a well", [new_well("A", 1)])
    await story.sync(b, "B downloads it")
    seen = b.bases[WELL].version
    minute = 60_000
    edit = said(
        "B", 1, WELL, base=seen, at=START_MS + 5 * minute, fields={"title": "东头水井", "households": 15}
    )
    await story.sync(b, "B writes name and households at 08:05", [edit], minutes=4)
    late = said(
        "A", 2, WELL, base=seen, at=START_MS + 3 * minute, fields={"title": "村东老井", "households": 14}
    )
    answer = await story.sync(a, "A wrote both at 08:03, and is connected only now", [late], minutes=4)
    decided = next(row["n"] for row in answer["page"]["records"])
    await story.sync(b, "B reads: its own values stand")
    households = {"fields": {"households": 14}, "decides": _conflict_id(late["id"], "households")}
    await story.office(
        "the clerk decides for A's number", by_clerk(1, WELL, decided, reason="入户核实", **households)
    )
    await story.sync(a, "A gets its receipt and the value")
    await story.sync(b, "B gets its receipt and the value")


async def quarantine(story: Story) -> None:
    """A change that cannot be applied waits in quarantine; the others of its request go through."""
    device = await story.enrolled("A")
    wrong = new_well("A", 2, WELL_2, households=-1)
    follows = said("A", 3, WELL_2, after=wrong["id"], fields={"title": "村西水井"})
    unread = {"id": change_id("A", 4), "record": WELL, "n": 4, "colour": "blue"}
    says = "four changes: a good one, a wrong value, one built on that, one that cannot be read"
    await story.sync(device, says, [new_well("A", 1), wrong, follows, unread])


async def gap(story: Story) -> None:
    """A counter is missing: the server takes nothing behind it, unless the device no longer has it."""
    device = await story.enrolled("A")
    first, third = new_well("A", 1), said("A", 3, WELL, after=change_id("A", 1), fields={"depth": 8.5})
    second = said("A", 2, WELL, after=change_id("A", 1), fields={"title": "村东老井"})
    await story.sync(device, "counters 1 and 3, while the device still has 2", [first, third])
    await story.sync(device, "send from 2: both", [second, third])
    fifth = said("A", 5, WELL, base=device.bases[WELL].version, fields={"depth": 9.0})
    await story.sync(device, "counter 4 is lost on the device; its lowest is 5", [fifth], lowest=5)


async def fork(story: Story) -> None:
    """The counter goes back with an unknown change: another copy of the store has used it."""
    device = await story.enrolled("A")
    await story.sync(device, "the first copy sends counters 1 and 2", [new_well("A", 1), _edit(2)])
    copied = said("A", 2, WELL, number=9, base=device.bases[WELL].version, fields={"depth": 9.0})
    await story.sync(device, "the second copy sends another change as counter 2", [copied])
    device.epoch = device.epoch[:-1] + "2"
    again = {**copied, "n": 1}
    await story.sync(device, "in a new epoch, counted from 1, under the same id", [again])


async def exits(story: Story) -> None:
    """A record moves to another grid: the device of the old one gets an exit, that of the new one the record."""
    a, b = await story.enrolled("A", [GRID_1]), await story.enrolled("B", [GRID_2])
    await story.sync(a, "A reports a well in its grid", [new_well("A", 1)])
    await story.sync(b, "B holds the other grid, and nothing of it")
    await story.office("the clerk moves it", by_clerk(1, WELL, a.bases[WELL].version, place=GRID_2))
    await story.sync(a, "A drops the record: the exit names only its id and its number")
    await story.sync(b, "B gets it whole")
    place = {"place": GRID_1}
    await story.office("the clerk moves it back", by_clerk(2, WELL, b.bases[WELL].version, **place))
    await story.grids("A is given both grids", a, [GRID_1, GRID_2])
    await story.sync(a, "A reads the second grid from the beginning, and the record of the first")


async def old_serial(story: Story) -> None:
    """A serial that was used before: verdicts, the last serial seen, no page."""
    device = await story.enrolled("A")
    known, edit = new_well("A", 1), _edit(2)
    await story.sync(device, "serial 1", [known])
    await story.sync(device, "serial 1 again, with the known change and a new one", [known, edit], serial=1)
    await story.sync(device, "serial 2: above the last one seen", [edit])


async def own_changes(story: Story) -> None:
    """What only this request has changed is named instead of sent back; what was merged is sent."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports a well", [new_well("A", 1)])
    seen = a.bases[WELL].version
    measure = {
        "op": "put",
        "field": "measures",
        "entry": ENTRY,
        "values": {"text": "已装护栏", "by": "村委会"},
    }
    await story.sync(
        a,
        "A edits it twice: both are named",
        [
            said("A", 2, WELL, base=seen, fields={"depth": 8.5}),
            said("A", 3, WELL, base=seen, fields={"note": "井台完好。"}, ops=[measure]),
        ],
    )
    await story.sync(b, "B downloads it whole")
    await story.sync(
        b, "B writes the depth", [said("B", 1, WELL, base=b.bases[WELL].version, fields={"depth": 9.5})]
    )
    edit = said("A", 4, WELL, base=a.bases[WELL].version, fields={"title": "村东老井"})
    await story.sync(a, "A writes another field: the record has moved, so both fields are sent", [edit])
    cleared = said(
        "B",
        2,
        WELL,
        base=b.bases[WELL].version,
        fields={"note": None},
        ops=[{"op": "drop", "field": "measures", "entry": ENTRY}],
    )
    await story.sync(b, "B clears the note and removes the measure", [cleared])
    await story.sync(a, "A is sent null for both")


async def other_cursor(story: Story) -> None:
    """A cursor that was altered, or given to another device, is refused; everything else of the request counts."""
    a, b = await story.enrolled("A"), await story.enrolled("B")
    await story.sync(a, "A reports a well", [new_well("A", 1)])
    edit = said("B", 1, NEVER, base=1, fields={"title": "?"})
    await story.sync(b, "B sends A's cursor, and an edit of a record that never was", [edit], cursor=a.cursor)


async def restored_server(story: Story) -> None:
    """The server comes back from a backup; the device offers again what the backup lacks."""
    device = await story.enrolled("A")
    made = new_well("A", 1)
    await story.sync(device, "A reports a well", [made])
    await story.backup("the operator makes a backup")
    lost = _edit(2)
    await story.sync(device, "A edits the well", [lost])
    await story.restore("the server is restored from the backup")
    late = said("A", 3, WELL, base=device.bases[WELL].version, fields={"note": "井台完好。"})
    await story.sync(device, "A edits again: its cursor proves another timeline", [late])
    device.epoch = device.epoch[:-1] + "2"
    offered = [{**made, "n": 1}, {**lost, "n": 2}, {**late, "n": 3}]
    await story.sync(device, "A offers what was answered again, in a new epoch, before what waited", offered)


async def revoked(story: Story) -> None:
    """A revoked device hands in its queue and reads nothing."""
    device = await story.enrolled("A")
    await story.sync(device, "A reports a well", [new_well("A", 1)])
    await story.revoke("the township revokes the device", device)
    await story.sync(device, "A hands in what it had not sent", [_edit(2)])


EXCHANGE: Final = {
    "enrolment": enrolment,
    "first_sync": first_sync,
    "resend": resend,
    "merged": merged,
    "conflict": conflict,
    "quarantine": quarantine,
    "gap": gap,
    "fork": fork,
    "exits": exits,
    "old_serial": old_serial,
    "own_changes": own_changes,
    "other_cursor": other_cursor,
    "restored_server": restored_server,
    "revoked": revoked,
}


def _edit(n: int) -> dict[str, Any]:
    return said("A", n, WELL, after=change_id("A", 1), fields={"depth": 8.5})


def _op(op: str, field: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "field": field, **more}


def _json(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message)


def _conflict_id(change: str, path: str) -> str:
    return uuid8(hashlib.sha256(f"{change}/{path}".encode()).digest())
