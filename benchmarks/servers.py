"""The two servers of a benchmark, each as one process: ours, and the bare floor."""

import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from benchmarks.screening import SHARED
from tests.postgres import free_port
from tests.vaults import TEXT

START_S: Final = 180
ENVIRONMENT: Final = {**os.environ, "ROUNDBOOK_MASTER_KEY": TEXT}
"""Of our server and its commands."""
_ANY: Final = ssl._create_unverified_context()  # noqa: S323, SLF001 (asks whether it answers, tells nothing)
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
def floor(dsn: str) -> Iterator[str]:
    """The floor server beside the checkout: decode a batch, insert it, nothing else. Gives its address."""
    environment, port = {**os.environ, "FLOOR_DSN": dsn}, free_port()
    command = [*_GRANIAN, "--port", str(port), "floor_server:app"]
    url = f"http://127.0.0.1:{port}"
    with process(command, f"{url}/pull?township=1&limit=1", environment, SHARED / "bench"):
        yield url


@contextmanager
def roundbook(database: str, data: Path, *more: str, scheme: str = "http") -> Iterator[tuple[str, int]]:
    """`roundbook serve` with one worker, as an office would run it. Gives its address and its process."""
    port = free_port()
    command = [str(PROGRAM), "serve", "--database", database, "--port", str(port), "--data", str(data), *more]
    url = f"{scheme}://127.0.0.1:{port}"
    with process(command, f"{url}/v1/health/ready", ENVIRONMENT) as running:
        yield url, running.pid


@contextmanager
def process(
    command: list[str], probe: str, environment: dict[str, str] | None = None, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in `folder`, once it answers 200 at `probe`. It ends with the block."""
    with tempfile.TemporaryFile() as words:
        running = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=words
        )
        try:
            _wait(running, probe, words)
            yield running
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()


def _wait(process: subprocess.Popen[bytes], url: str, words: IO[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            words.seek(0)
            said = words.read().decode(errors="replace")[-2_000:]
            message = f"the server ended with {process.returncode} before it answered:\n{said}"
            raise SystemExit(message)
        try:
            with urllib.request.urlopen(url, timeout=2, context=_ANY) as answer:  # noqa: S310 (our loopback address)
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    message = f"{url} did not answer in {START_S} s"
    raise SystemExit(message)
