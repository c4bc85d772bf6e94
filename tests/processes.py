"""The commands of the server as processes of their own, on a data folder of the test."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-c", "from server.starting import main; main()")
TOWN, GRID = "321283104", "321283104203001"


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    url: str
    folder: Path
    log: Path
    """What it wrote to standard error."""
    said: IO[str]
    """What it goes on writing to standard output."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=_environment(folder, variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def printed_link(server: Served) -> str:
    """The one-time link of the first administrator, which a server prints once it answers."""
    for line in server.said:
        if "/welcome#" in line:
            return line.strip()
    raise AssertionError(server.log.read_text())


@contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    """`roundbook serve` on a free port, once it says where it is; stopped at the end."""
    folder.mkdir(exist_ok=True)
    log = folder.with_name(f"{folder.name}.log")
    command = [*COMMAND, "serve", "--port", "0", *arguments]
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command, env=_environment(folder, variables), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"https?://\S+:\d+", said)
            assert found, (said, log.read_text())
            yield Served(found.group(), folder, log, process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def open_town(folder: Path, *workers: str, **variables: str) -> None:
    """A township with workers."""
    places = CHECKOUT / "server" / "directory" / "data" / "villages_3_counties.csv"
    _must(folder, "directory", "import", str(places), **variables)
    _must(folder, "township", "open", TOWN, **variables)
    for worker in workers:
        who = ("--name", worker, "--role", "grid_worker", "--township", TOWN)
        _must(folder, "staff", "add", *who, **variables)


def device_code(folder: Path, worker: str, **variables: str) -> str:
    """A one-time code for one more device of a worker."""
    named = ("--worker", worker, "--grid", GRID, "--json")
    return str(json.loads(_must(folder, "device", "code", *named, **variables))["code"])


def application_token(folder: Path, *scopes: str, **variables: str) -> str:
    """The token of an application."""
    named = ["--name", "热线", "--township", TOWN, "--json"]
    named += [part for scope in scopes for part in ("--scope", scope)]
    return str(json.loads(_must(folder, "application", "add", *named, **variables))["token"])


def _must(folder: Path, *arguments: str, **variables: str) -> str:
    done = run(folder, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
    return {**plain, "ROUNDBOOK_DATA": str(folder), "PYTHONPATH": str(CHECKOUT), **variables}
