"""Processes that are started, killed at any moment, and started again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from tests.chaos.nodes import children
from tests.postgres import free_port
from tests.vaults import TEXT

CHECKOUT: Final = Path(__file__).resolve().parents[2]
STOP_S: Final = 60.0
_INTERNAL: Final = re.compile(r"\binternal\b.*")


@dataclass
class Started:
    """A command that runs, or is to run again."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = CHECKOUT
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    again_at: float = 0.0
    """When it is started again after it has ended, on the monotonic clock."""
    starts: int = 0
    """How many processes were given values to write."""

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.kill()  # what is left of one that has ended by itself
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**plain, "PYTHONPATH": str(self.folder), **self.environment},
                start_new_session=True,
            )

    def kill(self, pause_s: float = 0.0) -> None:
        """kill -9 of it and of all that it started; it stays away for `pause_s`."""
        self.again_at = time.monotonic() + pause_s
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_S)
            if self.process.stdin is not None:
                self.process.stdin.close()
            self.process = None

    def ask_to_end(self) -> None:
        """By a line for a device, by SIGTERM for a server; `ended` says whether it did."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.write(b"stop\n")
                self.process.stdin.flush()

    def ended(self) -> bool:
        """Waits until it has ended by itself; whether it did, and well."""
        if self.process is None:
            return True
        try:
            return self.process.wait(STOP_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()


class Server(Started):
    """A `roundbook serve` on a port that it keeps."""

    def __init__(
        self, name: str, database: str, home: Path, *, folder: Path = CHECKOUT, **settings: int
    ) -> None:
        super().__init__(
            name,
            [],
            home / f"{name}.log",
            {
                "ROUNDBOOK_DATABASE": database,
                "ROUNDBOOK_DATA": str(home / name),
                "ROUNDBOOK_MASTER_KEY": TEXT,
                **{f"ROUNDBOOK_{setting.upper()}": str(value) for setting, value in settings.items()},
            },
            folder,
        )

        self.take_port(free_port())

    def take_port(self, port: int) -> None:
        """The port of its next start."""
        self.port = port
        self.command = [
            sys.executable,
            "-c",
            "from server.starting import main; main()",
            "serve",
            "--port",
            str(port),
        ]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether it answers and reaches its database."""
        try:
            return httpx2.get(f"{self.url}/v1/health/ready", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    def kill_worker(self, chosen: int) -> None:
        """kill -9 of a process that it started and that it has to start again."""
        found = sorted(children(self.process.pid)) if self.process is not None else []
        if found:
            with suppress(ProcessLookupError):
                os.kill(found[chosen % len(found)], signal.SIGKILL)

    def end(self) -> None:
        """SIGTERM: it answers what it has begun, and ends."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def incidents(self) -> list[str]:
        """What its log says of errors that nobody expected."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [f"unexpected: {self.name}: {found[:400]}" for found in _INTERNAL.findall(text)]
