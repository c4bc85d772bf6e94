"""`make ledger-scale`: each filter of the ledger at 200,000 matters of one township, on both databases.

100 calls of the service a filter, one after the other, each with the count that a page shows; every call asks for a
page further on. The ninety-fifth percentile has to be under 300 ms.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import asyncpg
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from benchmarks.ledger.asking import FILTERS, Taken, percentile, times
from benchmarks.ledger.matters import fill, tidy
from benchmarks.ledger.servers import prepared
from tests.postgres import postgres_server

REACH_MS: Final = 300.0


def main() -> None:
    """Fills, asks, prints, and ends with 1 when a filter takes longer than its reach."""
    parser = argparse.ArgumentParser(prog="make ledger-scale", description="Filters of the ledger at scale.")
    parser.add_argument("--matters", type=int, default=200_000)
    parser.add_argument("--calls", type=int, default=100, help="of each filter")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    found: dict[str, dict[str, Taken]] = {}
    with tempfile.TemporaryDirectory(prefix="roundbook-ledger-") as folder:
        if options.only != "postgresql":
            url = f"sqlite+aiosqlite:///{Path(folder) / 'ledger.sqlite'}"
            found["sqlite"] = asyncio.run(_measured(url, options.matters, options.calls))
        if options.only != "sqlite":
            with postgres_server(Path(folder) / "postgres") as server:
                url = asyncio.run(_database(server))
                found["postgresql"] = asyncio.run(_measured(url, options.matters, options.calls))
    _show(found, options.matters)
    slow = [one for each in found.values() for one in each.values() if percentile(one.calls) >= REACH_MS]
    sys.exit(1 if slow else 0)


async def _measured(url: str, matters: int, calls: int) -> dict[str, Taken]:
    """Filter to what its calls took."""
    async with prepared(url) as server:
        began = time.monotonic()
        await fill(server.services.engine, matters)
        await tidy(server.services.engine)
        Console(stderr=True).print(f"{matters:,} matters in {time.monotonic() - began:.0f} s")
        return {name: await times(server, asked, calls) for name, asked in FILTERS.items()}


async def _database(server: str) -> str:
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    await connection.execute("CREATE DATABASE ledger")
    await connection.close()
    return make_url(server).set(database="ledger").render_as_string(hide_password=False)


def _show(found: dict[str, dict[str, Taken]], matters: int) -> None:
    columns = [f"{name}, {what}" for name in found for what in ("p95 ms", "processor ms")]
    table = Table("filter", *columns, title=f"{matters:,} matters of one township")
    for name in FILTERS:
        cells = [(percentile(each[name].calls), each[name].processor) for each in found.values()]
        table.add_row(name, *(f"{ms:.0f}" for both in cells for ms in both))
    Console().print(table)


if __name__ == "__main__":
    main()
