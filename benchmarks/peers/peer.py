"""What is asked of another server: the works that every one of them can do, over one kept connection."""

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from benchmarks.ground import Ground

Record = dict[str, Any]
"""A record of the shared workload."""
_TIMEOUT_S: Final = 120


class Peer(Protocol):
    """A client of one server. Each of its methods ends the benchmark when something was not taken."""

    def push(self, records: Sequence[Record]) -> None:
        """One batch of new records."""

    def pull(self) -> int:
        """Everything that is there, from the beginning; how many records came."""

    def exchange(self, records: Sequence[Record]) -> tuple[int, int]:
        """New records up, and what others have brought since the last exchange down: round trips, records that came."""


class Server(msgspec.Struct, frozen=True):
    """A server that may be installed here."""

    name: str
    install: str
    """What has to be done where it is not."""
    found: Callable[[], str | None]
    """Its program or address; None where there is neither."""
    served: Callable[[Ground], AbstractContextManager[str]]
    """A fresh one without any record; its address."""
    client: Callable[[str], Peer]
    """A client of the server at an address, which has read nothing yet."""


class Connection:
    """JSON over one kept connection; `trips` counts the exchanges."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """`url` has scheme, host and port; `headers` go with every request."""
        parts = urlsplit(url)
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        self._headers = {"content-type": "application/json", **headers}
        self.trips = 0

    def ask(self, method: str, target: str, body: Any = None, *, may_miss: bool = False) -> Any:
        """The answer's JSON with its headers, the names in lower case; `may_miss` takes 404 and 412 for None."""
        sent = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        self._http.request(method, target, sent, self._headers)
        self.trips += 1
        answer = self._http.getresponse()
        told = answer.read()
        if may_miss and answer.status in {404, 412}:
            return None, {}
        if answer.status not in {200, 201, 202}:
            message = f"{method} {target} answered {answer.status}: {told[:300]!r}"
            raise SystemExit(message)
        return json.loads(told), {name.lower(): value for name, value in answer.getheaders()}

    def close(self) -> None:
        """Ends the connection; the next request opens another."""
        self._http.close()
