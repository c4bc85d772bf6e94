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
    """One run on fresh databases: the floor first on even runs, ours first on odd ones."""
    works = [("floor", _floor), ("ours", _ours)]
    figures = {
        name: work(url, records, number, folder) for name, work in (works if number % 2 == 0 else works[::-1])
    }
    return {**figures, "ratio": figures["ours"] / figures["floor"]}


def _floor(url: str, records: list[dict[str, Any]], number: int, _: Path) -> float:
    bodies = [json.dumps(part, ensure_ascii=False).encode() for part in _batches(records)]
    with _database(url, f"floor{number}") as dsn, servers.floor(_plain(dsn), _free_port()) as base:
        connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=60)
        start = time.perf_counter()
        for body in bodies:
            connection.request("POST", "/push?township=1", body, {"content-type": "application/json"})
            if connection.getresponse().read() == b"":
                raise SystemExit("the floor did not answer")
        return len(records) / (time.perf_counter() - start)


def _ours(url: str, records: list[dict[str, Any]], number: int, folder: Path) -> float:
    with _database(url, f"ours{number}") as dsn:
        prepare(dsn)
        with servers.roundbook(dsn, _free_port(), folder) as base:
            device = Device(dsn, base)
            batches = [[msgspec.Raw(change) for change in part] for part in _batches(creates(records, GRIDS))]
            device.sync([])
            start = time.perf_counter()
            for batch in batches:
                answer = device.sync(batch)
                if [verdict.result for verdict in answer.verdicts] != ["applied"] * len(batch):
                    raise SystemExit(f"not applied: {answer.verdicts[:2]}")
            seconds = time.perf_counter() - start
            device.close()
            return len(records) / seconds


def _batches(records: list[Any]) -> list[list[Any]]:
    return [records[at : at + BATCH] for at in range(0, len(records), BATCH)]


@contextmanager
def _database(url: str, name: str) -> Iterator[str]:
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
