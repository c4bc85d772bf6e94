"""The two servers of a benchmark, each as one process over the same PostgreSQL: ours, and the bare floor."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.works import SHARED
from tests.vaults import TEXT

START_S: Final = 20
ENVIRONMENT: Final = {**os.environ, "ROUNDBOOK_MASTER_KEY": TEXT}
"""Of our server and its commands."""
PROGRAM: Final = Path(sys.executable).with_name("roundbook")
_GRANIAN: Final = [
    sys.executable,
    "-m",
    "granian",
    "--interface",
    "asgi",
    "--workers",
    "1",
    "--log-level",
    "warning",
]


@contextmanager
def floor(dsn: str, port: int) -> Iterator[str]:
    """The floor server beside the checkout: decode a batch, insert it, nothing else."""
    environment = {**os.environ, "FLOOR_DSN": dsn}
    command = [*_GRANIAN, "--port", str(port), "floor_server:app"]
    with _process(command, environment, port, "/pull?township=1&limit=1", SHARED / "bench") as url:
        yield url


@contextmanager
def roundbook(database: str, port: int, data: Path) -> Iterator[str]:
    """`roundbook serve` with one worker, as an office would run it."""
    command = [str(PROGRAM), "serve", "--database", database, "--port", str(port), "--data", str(data)]
    with _process(command, ENVIRONMENT, port, "/v1/health/ready", None) as url:
        yield url


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], port: int, probe: str, folder: Path | None
) -> Iterator[str]:
    process = subprocess.Popen(command, env=environment, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url + probe)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            message = f"the server ended with {process.returncode} before it answered"
            raise SystemExit(message)
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (a loopback address of ours)
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    message = f"{url} did not answer in {START_S} s"
    raise SystemExit(message)
