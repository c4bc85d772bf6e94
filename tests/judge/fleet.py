"""Several server processes over one database, and the road to them, with the faults of both.

Processes are killed (SIGKILL) in the middle of their work and started again on another port; requests and answers
get lost. Which server a request reaches is drawn anew each time, within one sync too.
"""

import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, Self

import msgspec

from client_sdk import HttpTransport, LinkBroken, Response
from client_sdk.compression import unpacked
from sync_protocol.messages import SyncAnswer, SyncRequest, Verdict
from tests.e2e.processes import serving

if TYPE_CHECKING:
    from tests.processes import Process

SYNC: Final = "/v1/sync"
BODY_BYTES_MAX: Final = 2**26
TIMEOUT_S: Final = 20.0


class _Named(msgspec.Struct):
    """What is looked at of a change."""

    id: str


_answer: Final = msgspec.json.Decoder(SyncAnswer).decode
_request: Final = msgspec.json.Decoder(SyncRequest).decode
_named: Final = msgspec.json.Decoder(_Named).decode


class Fleet:
    """Server processes over one database."""

    def __init__(self, url: str, folder: Path, size: int) -> None:
        self._url, self._folder, self._size = url, folder, size
        self._running: list[tuple[str, Process, ExitStack]] = []
        self.faults: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._exchanges = threading.Semaphore(0)

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self._start()
        return self

    def __exit__(self, *reason: object) -> None:
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
        process.kill_group()
        stack.close()
        self.count("server killed")
        self._start()

    def address(self, random: Random) -> str:
        with self._lock:
            return random.choice([address for address, _, _ in self._running])

    def exchanged(self) -> None:
        """One more exchange begins."""
        self._exchanges.release()

    def wait(self, exchanges: int, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether so many more exchanges began, none of them longer than `timeout_s` after the one before."""
        return all(self._exchanges.acquire(timeout=timeout_s) for _ in range(exchanges))

    def count(self, fault: str) -> None:
        with self._lock:
            self.faults[fault] += 1


class Road:
    """A device's way to any of the servers. It keeps which changes went up together, and the verdicts that arrived."""

    def __init__(self, fleet: Fleet, random: Random, faults: float) -> None:
        """`faults`: how likely an exchange is broken, half of them after the server has done its work."""
        self._fleet, self._random, self._faults = fleet, random, faults
        self._links: dict[str, HttpTransport] = {}
        self._requests = 0
        self.requests: dict[str, tuple[int, ...]] = {}
        """The requests that carried a change."""
        self.verdicts: dict[str, Verdict] = {}

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TIMEOUT_S
    ) -> Response:
        asked = unpacked(body, headers.get("content-encoding", ""), BODY_BYTES_MAX)
        if path == SYNC:
            self._note(asked)
        self._fleet.exchanged()
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
            answer = _answer(unpacked(response.body, coding, BODY_BYTES_MAX, asked))
            self.verdicts |= {verdict.id: verdict for verdict in answer.verdicts}
        return response

    def _note(self, body: bytes) -> None:
        self._requests += 1
        for raw in _request(body).changes:
            id_ = _named(raw).id
            self.requests[id_] = (*self.requests.get(id_, ()), self._requests)

    def calm(self) -> None:
        """No more faults."""
        self._faults = 0.0

    def close(self) -> None:
        for link in self._links.values():
            link.close()
