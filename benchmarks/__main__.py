"""`make bench`: the measured works, each beside the bare floor server in the same run.

Ratios count, not seconds: this machine is shared, and the floor meets the same noise a moment before or
after. docs/performance.md and benchmarks/README.md say how each figure is taken.
"""

import argparse
import asyncio
import http.client
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from benchmarks import servers
from benchmarks.device import GRIDS, Device, prepare
from benchmarks.works import creates, workload
from tests.postgres import postgres_server

RECORDS: Final = 20_000
BATCH: Final = 200
REACH: Final = 0.3
"""W1, ours against the floor; docs/performance.md tells where it goes from here."""


def main() -> None:
    """Measures, prints, and ends with 1 when a figure falls below its reach."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="W1: upload of new records, against the bare floor."
    )
    parser.add_argument("--records", type=int, default=RECORDS, help="records uploaded in one run")
    parser.add_argument("--runs", type=int, default=3, help="runs, each ours and the floor's")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    records = workload().records(options.records)
    with (
        tempfile.TemporaryDirectory(prefix="roundbook-bench-") as folder,
        postgres_server(Path(folder), {}) as url,
    ):
        runs = [_run(url, records, number, Path(folder)) for number in range(options.runs)]
    ratio = statistics.median(run["ratio"] for run in runs)
    _show(runs, ratio)
    if options.json:
        options.json.write_text(json.dumps({"w1": runs, "ratio": ratio, "reach": REACH}, indent=2))
    sys.exit(0 if ratio >= REACH else 1)


def _run(url: str, records: list[dict[str, Any]], number: int, folder: Path) -> dict[str, float]:
    """One run on fresh databases, the two servers taking their batches in turn, so that both meet the same noise."""
    with (
        database(url, f"floor{number}") as floor_dsn,
        database(url, f"ours{number}") as dsn,
        servers.floor(_plain(floor_dsn), _free_port()) as floor_url,
    ):
        prepare(dsn)
        with servers.roundbook(dsn, _free_port(), folder) as base:
            floor, ours = _alternating(floor_url, Device(dsn, base), records)
    return {"floor": len(records) / floor, "ours": len(records) / ours, "ratio": floor / ours}


def _alternating(floor_url: str, device: Device, records: list[dict[str, Any]]) -> tuple[float, float]:
    """Seconds that the floor and we took for all records, batch by batch in turn."""
    bodies = [json.dumps(part, ensure_ascii=False).encode() for part in _batches(records)]
    batches = [[msgspec.Raw(change) for change in part] for part in _batches(creates(records, GRIDS))]
    connection = http.client.HTTPConnection(urlsplit(floor_url).netloc, timeout=60)
    device.sync([])
    floor = ours = 0.0
    for body, batch in zip(bodies, batches, strict=True):
        start = time.perf_counter()
        connection.request("POST", "/push?township=1", body, {"content-type": "application/json"})
        taken = json.loads(connection.getresponse().read())["n"]
        between = time.perf_counter()
        answer = device.sync(batch)
        end = time.perf_counter()
        if taken != len(batch) or [v.result for v in answer.verdicts] != ["applied"] * len(batch):
            raise SystemExit(f"not taken: {taken} of {len(batch)}, {answer.verdicts[:2]}")
        floor, ours = floor + between - start, ours + end - between
    device.close()
    connection.close()
    return floor, ours


def _batches(records: list[Any]) -> list[list[Any]]:
    return [records[at : at + BATCH] for at in range(0, len(records), BATCH)]


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """A fresh database on the server of `url`, dropped afterwards."""

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(_plain(url))
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run(f'CREATE DATABASE "{name}"'))
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(run(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _show(runs: list[dict[str, float]], ratio: float) -> None:
    table = Table(
        title=f"W1: one device uploads new records, batches of {BATCH}, one server process, PostgreSQL"
    )
    for heading in ("run", "floor, records/s", "Roundbook, records/s", "ratio"):
        table.add_column(heading, justify="right")
    for number, run in enumerate(runs, 1):
        table.add_row(str(number), f"{run['floor']:,.0f}", f"{run['ours']:,.0f}", f"{run['ratio']:.2f}")
    console = Console()
    console.print(table)
    verdict = "reached" if ratio >= REACH else "NOT reached"
    console.print(f"median ratio {ratio:.2f}, reach {REACH}: {verdict}")


if __name__ == "__main__":
    main()
