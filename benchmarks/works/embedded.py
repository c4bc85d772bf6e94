"""W1 on SQLite: the same upload, against raw `executemany` of the very rows of records and history that it wrote.

After each push its rows are read from our file, untimed, and go into a copy of the file from before the run, with the
same tables and indexes: one transaction, write-ahead log, synchronous FULL.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import make_url

from benchmarks import founding, servers
from benchmarks.device import Device
from benchmarks.figures import Seen
from benchmarks.ground import Ground
from benchmarks.screening import TOWNSHIP, workload
from benchmarks.turns import seconds
from benchmarks.works.upload import GRIDS, pushes

Rows = Sequence[tuple[Any, ...]]
_NUMBERED: Final = {"records": "version", "changes": "n"}
"""The two tables, and the column of each that grows with every push."""


def measure(ground: Ground, records: int) -> list[Seen]:
    """One run."""
    database, bare = ground.sqlite(), ground.file("raw.db")
    file = Path(make_url(database).database or "")
    [me] = asyncio.run(founding.enrolled(database, TOWNSHIP, GRIDS, 1))
    shutil.copy(file, bare)
    with (
        servers.roundbook(database, ground.folder) as (url, _),
        closing(sqlite3.connect(file)) as reading,
        closing(_raw(bare)) as raw,
    ):
        device = Device(me, url)
        device.pull()
        ours_s = raw_s = 0.0
        for push in pushes(device, workload().records(records)):
            ours_s += seconds(push)
            fresh = {table: _above(reading, table, _highest(raw, table)) for table in _NUMBERED}
            raw_s += seconds(partial(_insert, raw, fresh))
        device.link.close()
    return [Seen("upload", records / ours_s, records / raw_s)]


def _raw(file: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        raw.execute(f"PRAGMA {pragma}").fetchall()
    return raw


def _highest(raw: sqlite3.Connection, table: str) -> int:
    [(highest,)] = raw.execute(f"SELECT coalesce(max({_NUMBERED[table]}), 0) FROM {table}")  # noqa: S608 (constants)
    return int(highest)


def _above(reading: sqlite3.Connection, table: str, number: int) -> Rows:
    statement = f"SELECT * FROM {table} WHERE {_NUMBERED[table]} > ?"  # noqa: S608 (constants)
    return reading.execute(statement, (number,)).fetchall()


def _insert(raw: sqlite3.Connection, fresh: dict[str, Rows]) -> None:
    raw.execute("BEGIN IMMEDIATE")
    for table, rows in fresh.items():
        places = ", ".join("?" * len(rows[0]))
        raw.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 (constants)
    raw.execute("COMMIT")
