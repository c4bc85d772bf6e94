"""The seam to the network: one exchange, whole or broken.

A transport sends one request and gives the whole response with its body as it travelled, or raises
LinkBroken. It decides nothing: no retries, no redirects, no reading of bodies. `HttpTransport` and
`AsyncHttpTransport` speak HTTP; loopback.py drives an application in the same process.
"""

import ssl
import time
from typing import Final, Protocol

import httpx2
import msgspec

from client_sdk.trust import reason_of

CONNECT_S: Final = 10.0
READ_S: Final = 60.0
TOTAL_S: Final = 300.0
RESPONSE_BYTES_MAX: Final = 32 * 2**20
"""Of a body as it travels; the largest page a server gives is 8 MiB before compression."""


class Response(msgspec.Struct, frozen=True):
    """A whole response: status, headers with names in lower case, the body as it travelled."""

    status: int
    headers: dict[str, str]
    body: bytes


class LinkBroken(Exception):  # noqa: N818 (what happened, not what is wrong)
    """No whole response. `reason` is a short word; sizes are what may have travelled before."""

    def __init__(self, reason: str, bytes_up: int = 0, bytes_down: int = 0) -> None:
        """Keeps the reason and the sizes."""
        super().__init__(reason)
        self.reason = reason
        self.bytes_up = bytes_up
        self.bytes_down = bytes_down


class Transport(Protocol):
    """The blocking seam."""

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """One exchange within `timeout_s` seconds; raises LinkBroken."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


class AsyncTransport(Protocol):
    """The same under asyncio."""

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """One exchange within `timeout_s` seconds; raises LinkBroken."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class HttpTransport:
    """HTTP with connections that are kept between exchanges."""

    def __init__(self, url: str, pinned: ssl.SSLContext | None = None) -> None:
        """`url` is the server's, with scheme; paths are appended to it. `pinned`: see trust.py."""
        verify = True if pinned is None else pinned
        self._client = httpx2.Client(base_url=url, timeout=_TIMEOUT, follow_redirects=False, verify=verify)
        _say_little(self._client)

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """See Transport."""
        arriving = _Arriving(len(body), timeout_s)
        try:
            with self._client.stream(method, path, headers=headers, content=body) as response:
                for chunk in response.iter_raw():
                    arriving.take(chunk)
                return arriving.whole(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise arriving.broken(error) from error

    def close(self) -> None:
        """See Transport."""
        self._client.close()


class AsyncHttpTransport:
    """The same under asyncio."""

    def __init__(self, url: str, pinned: ssl.SSLContext | None = None) -> None:
        """See HttpTransport."""
        verify = True if pinned is None else pinned
        self._client = httpx2.AsyncClient(
            base_url=url, timeout=_TIMEOUT, follow_redirects=False, verify=verify
        )
        _say_little(self._client)

    async def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """See AsyncTransport."""
        arriving = _Arriving(len(body), timeout_s)
        try:
            async with self._client.stream(method, path, headers=headers, content=body) as response:
                async for chunk in response.aiter_raw():
                    arriving.take(chunk)
                return arriving.whole(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise arriving.broken(error) from error

    async def close(self) -> None:
        """See AsyncTransport."""
        await self._client.aclose()


_TIMEOUT: Final = httpx2.Timeout(READ_S, connect=CONNECT_S)


def _say_little(client: httpx2.Client | httpx2.AsyncClient) -> None:
    """Leaves out what every request would say again without telling the server anything: a slow link carries it all.

    A name stays, since firewalls turn away whoever has none.
    """
    for name in ("accept", "accept-encoding", "connection"):
        del client.headers[name]
    client.headers["user-agent"] = "roundbook"


class _Arriving:
    """A response on its way in, within its bounds of time and size."""

    def __init__(self, bytes_up: int, timeout_s: float) -> None:
        self._until = time.monotonic() + timeout_s
        self._up = bytes_up
        self._down = 0
        self._chunks: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """A part of the body; raises LinkBroken past a bound."""
        self._chunks.append(chunk)
        self._down += len(chunk)
        if self._down > RESPONSE_BYTES_MAX:
            raise LinkBroken("response_too_large", self._up, self._down)
        if time.monotonic() > self._until:
            raise LinkBroken("too_slow", self._up, self._down)

    def whole(self, response: httpx2.Response) -> Response:
        """The response, all of it."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, headers, b"".join(self._chunks))

    def broken(self, error: Exception) -> LinkBroken:
        """What the library said, in a word; its text may name a proxy or an address."""
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
            return LinkBroken(reason_of(error) or "no_connection")
        if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
            return LinkBroken("bad_address")
        reason = "time_out" if isinstance(error, httpx2.TimeoutException) else "cut"
        return LinkBroken(reason, self._up, self._down)
