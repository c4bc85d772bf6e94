"""Several server processes over one database, and the road to them, with the faults of both.

Processes are killed (SIGKILL) in the middle of their work and started again on another port; requests and answers
get lost. Which server a request reaches is drawn anew each time, within one sync too.
"""

import os
import signal
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Final, Self

import msgspec

from client_sdk import HttpTransport, LinkBroken, Response
from client_sdk.compression import unpacked
from sync_protocol.messages import SyncAnswer, Verdict
from tests.e2e.test_process import serving

SYNC: Final = "/v1/sync"
ANSWER_BYTES_MAX: Final = 2**26
TIMEOUT_S: Final = 20.0
_answer: Final = msgspec.json.Decoder(SyncAnswer).decode


class Fleet:
    """Server processes over one database."""

    def __init__(self, url: str, folder: Path, size: int) -> None:
        self._url, self._folder, self._size = url, folder, size
        self._running: list[tuple[str, Popen[str], ExitStack]] = []
        self.faults: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        for _, _, stack in self._running:
            stack.close()

    def _start(self) -> None:
        stack = ExitStack()
        address, process = stack.enter_context(serving(self._url, self._folder))
        with self._lock:
            self._running.append((address, process, stack))

    def kill(self, random: Random) -> None:
        """One process dies as it is, and another one comes."""
        with self._lock:
            _, process, stack = self._running.pop(random.randrange(len(self._running)))
        os.killpg(process.pid, signal.SIGKILL)
        stack.close()
        self.count("server killed")
        self._start()

    def address(self, random: Random) -> str:
        with self._lock:
            return random.choice([address for address, _, _ in self._running])

    def count(self, fault: str) -> None:
        with self._lock:
            self.faults[fault] += 1


class Road:
    """A device's way to any of the servers. It keeps the verdicts that arrived."""

    def __init__(self, fleet: Fleet, random: Random, faults: float) -> None:
        """`faults`: how likely an exchange is broken, half of them after the server has done its work."""
        self._fleet, self._random, self._faults = fleet, random, faults
        self._links: dict[str, HttpTransport] = {}
        self.verdicts: dict[str, Verdict] = {}

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TIMEOUT_S
    ) -> Response:
        address = self._fleet.address(self._random)
        drawn = self._random.random()
        if drawn < self._faults / 2:
            self._fleet.count("request lost")
            raise LinkBroken("no_connection")
        link = self._links.setdefault(address, HttpTransport(address))
        response = link.exchange(method, path, headers, body, min(timeout_s, TIMEOUT_S))
        if drawn < self._faults:
            self._fleet.count("answer lost")
            raise LinkBroken("cut", len(body), len(response.body) // 2)
        if path == SYNC and response.status == 200:
            coding = response.headers.get("content-encoding", "")
            answer = _answer(unpacked(response.body, coding, ANSWER_BYTES_MAX))
            self.verdicts |= {verdict.id: verdict for verdict in answer.verdicts}
        return response

    def calm(self) -> None:
        """No more faults."""
        self._faults = 0.0

    def close(self) -> None:
        for link in self._links.values():
            link.close()
