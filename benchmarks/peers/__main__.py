"""`make bench-peers`: other servers on the same works, each beside the floor and Roundbook in the same run.

Those that are not installed are left out, and how to install them is said. benchmarks/README.md says what is measured.
"""

import argparse
import sys
import tempfile
from collections.abc import Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks.device import FloorClient
from benchmarks.figures import Seen, number
from benchmarks.ground import Ground, plain
from benchmarks.peers import couch, kinto
from benchmarks.peers.peer import Peer, Record, Server
from benchmarks.relay import relayed
from benchmarks.screening import workload
from benchmarks.servers import floor
from benchmarks.turns import Client, at_once, in_turn, parts
from benchmarks.works import download, small, upload
from benchmarks.works.upload import BATCH, bodies
from tests.postgres import postgres_server

RECORDS: Final = 2_000
EXCHANGED: Final = 5
WARM: Final = 2
"""Exchanges before the one that is counted: connection and checkpoint are there then."""
OURS: Final = "Roundbook"


PEERS: Final[Mapping[str, Server]] = {"kinto": kinto.SERVER, "couch": couch.SERVER}


def main() -> None:
    """Measures what is installed, and says what is not."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120)
    asked = {name: PEERS[name] for name in options.only or PEERS}
    there = {name: peer for name, peer in asked.items() if peer.found() is not None}
    for name in asked.keys() - there.keys():
        console.print(
            f"{PEERS[name].name} is not installed: {PEERS[name].install}", style="yellow", markup=False
        )
    if not there:
        sys.exit(1)
    with (
        tempfile.TemporaryDirectory(prefix="roundbook-peers-") as folder,
        postgres_server(Path(folder, "postgres"), {}) as url,
    ):
        ground = Ground(url, Path(folder))
        records = workload().records(options.records + 2 * EXCHANGED * (WARM + 1))
        found: dict[str, list[Seen]] = {}
        with console.status(OURS):
            found[OURS] = _ours(ground, options.records)
        for peer in there.values():
            with console.status(peer.name):
                found[peer.name] = _measured(ground, peer, records, options.records)
    console.print(_table(found, options.records))


def _ours(ground: Ground, records: int) -> list[Seen]:
    """The same works as `make bench` takes them."""
    named = {"wire": "download", "records": "bytes", "trips": "trips", "upload": "upload"}
    seen = [*upload.one(ground, records), *download.measure(ground, records), *small.measure(ground, records)]
    return [Seen(named[one.name], one.ours, one.floor) for one in seen if one.name in named]


def _measured(ground: Ground, peer: Server, records: Sequence[Record], count: int) -> list[Seen]:
    first, more = records[:count], parts(records[count:], EXCHANGED)
    with peer.served(ground) as url, ground.empty() as database, floor(plain(database)) as bare:
        up_s, floor_s = in_turn([_pushes(peer.client(url), first)], [bodies(FloorClient(bare), first)])
        seen = [Seen("upload", count / up_s, count / floor_s)]
        reader = peer.client(url)
        came = list[int]()
        down_s = at_once([[lambda: came.append(reader.pull())]])
        floor_s = at_once([[partial(_everything, FloorClient(bare))]])
        _require(came, [count])
        seen.append(Seen("download", count / down_s, count / floor_s))
        with relayed(url) as (address, passed):
            counted, other = peer.client(_by_way_of(url, address)), peer.client(url)
            counted.pull()
            trips = 0
            for theirs, own in zip(more[::2], more[1::2], strict=True):
                other.push(theirs)
                passed.taken()
                trips, got = counted.exchange(own)
                _require([got], range(EXCHANGED, 2 * EXCHANGED + 1))
    return [*seen, Seen("trips", trips), Seen("bytes", sum(passed.taken()))]


def _pushes(client: Peer, records: Sequence[Record]) -> Client:
    return [partial(client.push, batch) for batch in parts(records, BATCH)]


def _by_way_of(url: str, address: str) -> str:
    """The server's address with the relay's in the place of its own; name, password and path stay."""
    parts_of = urlsplit(url)
    named = parts_of.netloc.rpartition("@")
    return parts_of._replace(netloc=f"{named[0]}{named[1]}{urlsplit(address).netloc}").geturl()


def _require(came: Sequence[int], expected: Container[int]) -> None:
    """Ends the benchmark where a server brings other records than were brought to it."""
    wrong = [one for one in came if one not in expected]
    if wrong:
        message = f"{wrong} records came, {expected} were expected"
        raise SystemExit(message)


def _everything(client: FloorClient) -> None:
    while not client.complete:
        client.page()


def _table(found: Mapping[str, list[Seen]], records: int) -> Table:
    """A line for each server; a share of the floor is that of the same run."""
    table = Table(title=f"{records:,} records; {EXCHANGED} up and {EXCHANGED} down", title_justify="left")
    table.add_column("server")
    for heading in (
        "W1, records/s",
        "of the floor",
        "W4, records/s",
        "of the floor",
        "W5, round trips",
        "W5, bytes",
    ):
        table.add_column(heading, justify="right")
    for name, figures in found.items():
        by = {one.name: one for one in figures}
        cells = [
            cell
            for one in (by["upload"], by["download"])
            for cell in (number(one.ours), f"{one.ours / (one.floor or 1):.3f}")
        ]
        table.add_row(name, *cells, number(by["trips"].ours), number(by["bytes"].ours))
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument(
        "only", nargs="*", choices=[[], *PEERS], help=f"of {', '.join(PEERS)}; all that are installed"
    )
    parser.add_argument("--records", type=int, default=RECORDS, help="of W1 and W4")
    return parser.parse_args()


if __name__ == "__main__":
    main()
