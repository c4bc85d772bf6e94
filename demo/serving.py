"""The server's process: the application of `roundbook serve` on a granian of its own, under the simulated clock.

Only clock and randomness differ, because what a round comes to has to follow from its seed. So the keys of
such a server can be foreseen: it listens on this machine alone, and after the round `roundbook serve` takes
its place.
"""

import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from litestar import Litestar

from demo.clocks import ServerClock
from server.app import create_app
from server.kinds.registry import Registry
from server.refused import RefusedError
from server.services import open_services
from server.settings import Settings, environment, read

CLOCK_FILE: Final = "clock"
LOG_FILE: Final = "server.log"
_SEED: Final = "ROUNDBOOK_DEMO_SEED"
_START_S: Final = 30.0
_ASK_S: Final = 0.05
_STOP_S: Final = 10.0
_WATCH_S: Final = 0.5


def application() -> Litestar:
    """What the worker process starts."""
    _live_with_parent()
    settings = read(os.environ)
    clock = ServerClock(Path(settings.data) / CLOCK_FILE)
    plain = open_services(settings)
    draw = random.Random(f"server {os.environ[_SEED]}").randbytes
    registry = Registry(plain.engine, clock)
    return create_app(settings, msgspec.structs.replace(plain, clock=clock, random=draw, registry=registry))


def main() -> None:
    """Serves until the parent goes away."""
    settings = read(os.environ)
    _live_with_parent()
    Granian(
        "demo.serving:application",
        address=settings.host,
        port=settings.port,
        workers=1,
        interface=Interfaces.ASGI,
        factory=True,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve()


def _live_with_parent() -> None:
    """Ends this process when the one that started it is gone, however that ended."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


class Server:
    """The process, while a block runs. It starts while others do what needs no server; `wait` ends that."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.url = f"http://{settings.host}:{settings.port}"
        self._settings = settings
        # A fixed hash seed, because the order of a set may decide about a byte of what travels.
        own = {**environment(settings), _SEED: str(seed), "PYTHONHASHSEED": "0"}
        with (Path(settings.data) / LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "demo.serving"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **own},
                cwd=Path(__file__).resolve().parent.parent,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self._process.kill()
        self._process.wait()

    def wait(self) -> None:
        """Returns when the server is ready; raises RefusedError when it does not get there."""
        host, port = self._settings.host, self._settings.port
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(host, port, timeout=1)
                connection.request("GET", "/v1/health/ready")
                if connection.getresponse().status == http.client.OK:
                    return
            time.sleep(_ASK_S)
        message = f"The server did not start: see {Path(self._settings.data) / LOG_FILE}."
        raise RefusedError(message)


if __name__ == "__main__":
    main()
