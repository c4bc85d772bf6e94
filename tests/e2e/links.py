"""Links between a device and the server that fail in ways that a test chooses."""

from collections.abc import Callable

import msgspec

from client_sdk import LinkBroken, Response, Transport
from client_sdk.compression import unpacked
from sync_protocol.messages import SyncAnswer, SyncRequest

SYNC = "/v1/sync"
Hook = Callable[[bytes], None]


class Link:
    """Counts exchanges and keeps what travelled. `up` and `down` may raise, or give other bytes."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.exchanges = 0
        self.up: Callable[[bytes], bytes] = lambda body: body
        self.down: Callable[[Response], Response] = lambda response: response
        self.sent: list[bytes] = []
        self._codings: list[str] = []
        self.got: list[Response] = []
        self._asked: list[int] = []
        """Which request each of these answers."""

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 300.0
    ) -> Response:
        if path != SYNC:
            return self.inner.exchange(method, path, headers, body, timeout_s)
        self.exchanges += 1
        self.sent.append(body)
        self._codings.append(headers.get("content-encoding", ""))
        asked = len(self.sent) - 1
        response = self.inner.exchange(method, path, headers, self.up(body), timeout_s)
        self.got.append(response)
        self._asked.append(asked)
        return self.down(response)

    def close(self) -> None:
        self.inner.close()

    @property
    def request(self) -> SyncRequest:
        """The last request."""
        return self.requests[-1]

    @property
    def requests(self) -> list[SyncRequest]:
        """Every request."""
        return [msgspec.json.decode(self._plain(at), type=SyncRequest) for at in range(len(self.sent))]

    @property
    def answer(self) -> SyncAnswer:
        """The last answer."""
        return self.answers[-1]

    @property
    def answers(self) -> list[SyncAnswer]:
        """Every answer that came whole."""
        bodies = [
            unpacked(one.body, one.headers.get("content-encoding", ""), 2**26, self._plain(asked))
            for one, asked in zip(self.got, self._asked, strict=True)
        ]
        return [msgspec.json.decode(body, type=SyncAnswer) for body in bodies]

    def _plain(self, at: int) -> bytes:
        return unpacked(self.sent[at], self._codings[at], 2**26)


def lost(_: object) -> Response:
    """The answer does not arrive."""
    raise LinkBroken("cut", 100, 100)


def dead(_: object) -> bytes:
    """The request does not arrive."""
    raise LinkBroken("no_connection")


def times(count: int, broken: Callable[..., object]) -> Callable[..., object]:
    """Breaks `count` times, then lets everything pass."""
    left = [count]

    def pass_or_break(what: object) -> object:
        if left[0]:
            left[0] -= 1
            return broken(what)
        return what

    return pass_or_break
