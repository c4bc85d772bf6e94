"""The commands of the server as processes of their own, on a data folder of the test.

They are forked from one that has loaded the server (tests/loaded.py), else they are what an operator starts:
tests/server/test_serving.py and the README's commands start it as an operator does.
"""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any, Self

CHECKOUT = Path(__file__).resolve().parents[1]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.loaded"])
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


class Process:
    """`roundbook`, while it runs."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        output: int,
        errors: int,
        *,
        alone: bool = False,
    ) -> None:
        """Standard output and error go to those files; `alone` gives it a process group of its own, to be killed."""
        self._forked = _Forked(arguments, dict(environment), output, errors, alone=alone)
        self._forked.start()
        assert self._forked.pid is not None
        self.pid: int = self._forked.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        return self._forked.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """The same, once it has ended."""
        self._forked.join(seconds)
        code = self._forked.exitcode
        assert code is not None, f"process {self.pid} runs after {seconds} s"
        return code

    def send_signal(self, number: int) -> None:
        """A signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill_group(self) -> None:
        """Kills it with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class _Forked(ForkServerProcess):
    """Its process, as multiprocessing makes it."""

    def __init__(
        self, arguments: tuple[str, ...], environment: dict[str, str], said: int, errors: int, *, alone: bool
    ) -> None:
        super().__init__()
        self._arguments, self._own_environment, self._alone = arguments, environment, alone
        self._outputs = (said, errors)

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to the process: of the files their numbers over there."""
        return {**self.__dict__, "_outputs": [DupFd(number) for number in self._outputs]}

    def run(self) -> None:
        if self._alone:
            os.setsid()
        for number, output in zip((1, 2), self._outputs, strict=True):
            file: Any = output
            os.dup2(file.detach(), number)
        os.environ.clear()
        os.environ.update(self._own_environment)
        sys.argv[:] = ["roundbook", *self._arguments]
        multiprocessing.set_start_method("fork", force=True)  # as it is in a process that nobody forked
        from tests.loaded import main

        main()


@contextmanager
def started(
    arguments: tuple[str, ...], environment: Mapping[str, str], errors: int, *, alone: bool = False
) -> Iterator[tuple[Process, IO[str]]]:
    """A process, and what it says on its standard output; it is waited for at the end."""
    read, write = os.pipe()
    with os.fdopen(read, encoding="utf-8") as said:
        try:
            process = Process(arguments, environment, write, errors, alone=alone)
        finally:
            os.close(write)
        with process:
            yield process, said


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return completed(arguments, _environment(folder, variables))


def completed(
    arguments: tuple[str, ...], environment: Mapping[str, str], seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """One command in an environment, to its end."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
    ):
        process = Process(arguments, environment, output.fileno(), errors.fileno(), alone=True)
        try:
            code = process.wait(seconds)
        except AssertionError:
            process.kill_group()
            raise
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())


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
    command = ("serve", "--port", "0", *arguments)
    with (
        log.open("a") as errors,
        started(command, _environment(folder, variables), errors.fileno()) as (process, said),
    ):
        try:
            first = said.readline()
            found = re.search(r"https?://\S+:\d+", first)
            assert found, (first, log.read_text())
            yield Served(found.group(), folder, log, said)
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
