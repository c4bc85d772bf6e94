"""Trains the dictionary of a content coding (sync_protocol/dictionary.py) on what devices and a server say.

    python -m benchmarks.training FILE        or: make dictionary

Two sorts of conversations are overheard before they are compressed: village rounds of the demo, with the kinds that
are shipped, and small exchanges of the shared workload, other records than W5 takes. Whoever trains anew gives the
coding another name: a dictionary that was handed out never changes. It is shipped, so it may hold nothing that a
citizen said: the demo tells its built-in narratives here.
"""

import argparse
import asyncio
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import zstandard
from rich.console import Console

from benchmarks import founding, servers, stores
from benchmarks.screening import TOWNSHIP, two_fields, workload
from benchmarks.stores import Connection
from client_sdk import FieldClient
from client_sdk.compression import unpacked
from client_sdk.syncing import Outgoing, Steps
from client_sdk.transport import Response
from demo.cli import run

BYTES: Final = 2**15
"""Of the dictionary: twice as many gain three parts in a hundred."""
ROUNDS: Final = (1, 2, 3)
"""Seeds of the demo."""
EXCHANGES: Final = 120
_SEED: Final = 1_000
_EACH: Final = 5
_SAMPLE_BYTES: Final = 2**13
"""Large messages are cut: their middle is records, of which there are enough."""
_PLAIN_BYTES_MAX: Final = 2**26


@contextmanager
def overheard() -> Iterator[list[bytes]]:
    """What devices of this process say, and are answered, before compression."""
    heard: list[bytes] = []
    read = Steps.read

    def listening(steps: Steps, outgoing: Outgoing, response: Response, took_s: float) -> Any:
        heard.append(outgoing.plain)
        encoding = response.headers.get("content-encoding", "")
        heard.append(unpacked(response.body, encoding, _PLAIN_BYTES_MAX, outgoing.plain))
        return read(steps, outgoing, response, took_s)

    with patch.object(Steps, "read", listening):
        yield heard


def exchange_records(folder: Path) -> None:
    """Two devices of the same grids, in turn: five new records each, then edits of two fields of five."""
    database = f"sqlite+aiosqlite:///{folder / 'training.db'}"
    founding.migrated(database)
    asyncio.run(founding.founded(database, (TOWNSHIP,)))
    rng, records = random.Random(_SEED), iter(workload().records(2 * EXCHANGES * _EACH, seed=_SEED))
    grids = founding.grids_of(count=3)
    with (
        servers.roundbook(database, folder) as (url, _),
        Connection(url) as connection,
        stores.opened(folder / "one.rbk", database, connection, grids) as one,
        stores.opened(folder / "other.rbk", database, connection, grids) as other,
    ):
        for _ in range(EXCHANGES):
            for device in (one, other):
                for _ in range(_EACH):
                    stores.create(device, next(records), rng.choice(grids))
                device.sync()
                _edit(device, rng)
                device.sync()


def _edit(device: FieldClient, rng: random.Random) -> None:
    for record in rng.sample(device.list(), _EACH):
        device.update(record, **two_fields(rng, record.values))


def main() -> None:
    """Listens, trains, writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("file", type=Path, help="where the dictionary is written")
    file = parser.parse_args().file
    console = Console(stderr=True)
    with overheard() as heard:
        for seed in ROUNDS:
            with (
                console.status(f"village round {seed}"),
                tempfile.TemporaryDirectory() as folder,
                patch.dict(os.environ, ROUNDBOOK_SHARED=folder),  # where no citizens' messages are
                redirect_stdout(StringIO()),
            ):
                run(seed=seed, once=True, data=Path(folder, "demo"))
        with console.status("small exchanges"), tempfile.TemporaryDirectory() as folder:
            exchange_records(Path(folder))
    samples: list[bytes | bytearray | memoryview] = [message[:_SAMPLE_BYTES] for message in heard]
    trained = zstandard.train_dictionary(BYTES, samples, level=19).as_bytes()
    file.write_bytes(trained)
    console.print(f"{len(trained):,} bytes from {len(samples):,} messages")


if __name__ == "__main__":
    main()
