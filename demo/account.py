"""Whether every change is where it should be, asked of the server's one table of changes."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from demo.device import Device
from demo.exports import Exported, compare
from demo.plan import TOWNSHIP
from demo.result import Check, DeviceResult

_RESULTS: Final = {
    "applied": "applied",
    "merged": "merged",
    "conflict": "conflicts",
    "quarantined": "quarantined",
}
"""A result in the table of changes, and how a device counts it."""
_SHOWN: Final = 5
WORKER: Final = "grid_worker"


class Stored(msgspec.Struct, frozen=True):
    """What the table says of one change."""

    change: str
    author: str
    role: str
    result: str
    origin: str | None
    """The change that the office took in again, or closed, with this one."""


class Ledger(msgspec.Struct, frozen=True):
    """The township's changes, and the registration numbers that it gave."""

    changes: list[Stored]
    numbers: list[str]

    def sent_by(self, author: str) -> list[Stored]:
        """What came from a device; what the office took in again in its name left out."""
        return [row for row in self.changes if row.author == author and row.origin is None]


def read_ledger(database: Path) -> Ledger:
    """Reads the database beside the running server."""
    uri = f"{database.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        changes = _rows(
            connection, "SELECT change_id, author, role, result, origin FROM changes WHERE township_id = ?"
        )
        numbers = _rows(
            connection,
            "SELECT number FROM records WHERE township_id = ? AND number IS NOT NULL ORDER BY number",
        )
    return Ledger([Stored(*row) for row in changes], [row[0] for row in numbers])


def office_counts(ledger: Ledger) -> dict[str, int]:
    """The changes that the office made, by result; its part in what it took in again is a line of its own."""
    found = Counter(row.result for row in ledger.changes if row.role != WORKER and row.origin is None)
    found["taken_in"] = sum(row.role == WORKER and row.origin is not None for row in ledger.changes)
    return {name: found[name] for name in (*_RESULTS, "taken_in")}


def device_result(device: Device, cuts: int) -> DeviceResult:
    """A device's line of the table."""
    plan, counts = device.plan, device.counts
    return DeviceResult(
        device=device.name,
        worker=plan.worker,
        grids=len(device.client.grids()),
        clock_error_ms=plan.clock.error_ms,
        clock_jump_ms=plan.clock.jump_ms,
        slow=plan.slow,
        cuts=cuts,
        role=plan.role,
        saved=len(device.saved),
        sent=counts["sent"],
        applied=counts["applied"],
        merged=counts["merged"],
        differing=counts["conflicts"],
        quarantined=counts["quarantined"],
        waiting=device.waiting,
        duplicates=counts["duplicates"],
        bytes_up=counts["bytes_up"],
        bytes_down=counts["bytes_down"],
        round_trips=counts["round_trips"],
    )


def checks(
    devices: Sequence[Device], ledger: Ledger, exported: Sequence[Exported], decided: Collection[str]
) -> tuple[Check, ...]:
    """Every question about the round; `decided` are the devices' changes about which the office decided."""
    return (
        _saves(devices),
        _once(devices, ledger),
        _verdicts(devices, ledger),
        _disasters(devices),
        _told(devices, decided),
        _numbers(ledger),
        _exports(devices, exported),
    )


def audited(entries: int, wrong: Sequence[str]) -> Check:
    """What people did beside the records is written down, and nothing of it was changed."""
    zh = f"审计记录 {entries} 条，链完整"
    return _check(zh, f"audit: {entries} entries, chain whole", f"{entries}", wrong)


def _saves(devices: Sequence[Device]) -> Check:
    """What was saved is what the queues named before they were sent."""
    wrong = [
        f"{d.name}: {d.saves} saves returned, {len(d.saved)} changes were queued"
        for d in devices
        if d.saves != len(d.saved)
    ]
    total = sum(device.saves for device in devices)
    return _check("每次保存都进了队列", "every save that returned was in the queue", f"{total}", wrong)


def _once(devices: Sequence[Device], ledger: Ledger) -> Check:
    """Every saved id is in the table exactly once, nothing else of these devices is, and nothing waits."""
    seen = Counter(row.change for row in ledger.changes)
    wrong: list[str] = []
    total = 0
    for device in devices:
        author = device.client.me().device
        wrong += [f"{device.name} {id_}: {seen[id_]} times" for id_ in device.saved if seen[id_] != 1]
        strange = {row.change for row in ledger.sent_by(author)} - device.saved.keys()
        wrong += [f"{device.name} {id_}: stored, but never saved" for id_ in sorted(strange)]
        wrong += [f"{device.name}: {device.waiting} wait"] if device.waiting else []
        total += sum(seen[id_] for id_ in device.saved)
    return _check(
        "每条改动在镇里恰好一份", "every change is in the server's table exactly once", f"{total}", wrong
    )


def _verdicts(devices: Sequence[Device], ledger: Ledger) -> Check:
    """What the devices were told is what the table says."""
    wrong: list[str] = []
    for device in devices:
        author = device.client.me().device
        stored = Counter(row.result for row in ledger.sent_by(author))
        told = {result: device.counts[name] for result, name in _RESULTS.items()}
        wrong += [
            f"{device.name}: {told[result]} told as {result}, {stored[result]} stored"
            for result in _RESULTS
            if told[result] != stored[result]
        ]
    total = sum(device.counts["sent"] for device in devices)
    return _check("答复与镇里所存一致", "what devices were told is what is stored", f"{total}", wrong)


def _disasters(devices: Sequence[Device]) -> Check:
    """The killed process lost nothing, the lost answer doubled nothing, every sync came to its end."""
    wrong: list[str] = []
    for device in devices:
        if device.plan.role == "dies" and not (device.killed and device.survived_death):
            wrong.append(f"{device.name}: killed {device.killed}, queue whole {device.survived_death}")
        if device.plan.role == "loses_answer" and not device.counts["duplicates"]:
            wrong.append(f"{device.name}: no duplicate after the lost answer")
        if not device.complete:
            wrong.append(f"{device.name}: its last sync is not complete")
        wrong += [f"{device.name}: read {grid} again, its digest differed" for grid in sorted(device.reread)]
    again = sum(device.counts["duplicates"] for device in devices)
    zh = "断电、断线后不丢；重传的没有重复"
    return _check(
        zh, "nothing was lost by death or cut links; what was sent again is not doubled", f"{again}", wrong
    )


def _told(devices: Sequence[Device], decided: Collection[str]) -> Check:
    """Whoever saved a change about which the office decided has heard of it."""
    heard = {str(news.detail.get("change")) for device in devices for news in device.client.news()}
    wrong = [f"{change}: its author was not told" for change in decided if change not in heard]
    return _check(
        "镇里核对后告知填报人", "authors were told what the office decided", f"{len(decided)}", wrong
    )


def _numbers(ledger: Ledger) -> Check:
    """Registration numbers have no gap."""
    serials = [int(number.rpartition("-")[2]) for number in ledger.numbers]
    wrong = [] if serials == list(range(1, len(serials) + 1)) else [f"numbers {serials[:20]} …"]
    return _check("登记编号连续", "registration numbers have no gap", f"{len(serials)}", wrong)


def _exports(devices: Sequence[Device], exported: Sequence[Exported]) -> Check:
    """Each device holds what the server holds of its grids."""
    found = compare(devices, exported)
    zh = f"各机与镇里导出逐项相同（{found.devices} 台，{found.records} 条记录）"
    en = f"each device equals the server's export, value by value, in {found.records} records"
    if found.held_back:
        zh += f"；{found.held_back} 条显示本机所填、待处理的内容"
        en += f"; {found.held_back} show own values that wait in quarantine"
    return _check(zh, en, f"{found.values}", found.differs)


def _check(zh: str, en: str, figures: str, wrong: Sequence[str]) -> Check:
    more = (f"… {len(wrong) - _SHOWN} more",) if len(wrong) > _SHOWN else ()
    return Check(zh, en, figures, (*wrong[:_SHOWN], *more))


def _rows(connection: sqlite3.Connection, statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement, (TOWNSHIP,)).fetchall()
