"""Devices as people hold them: the SDK's own client on an encrypted store, enrolled by a one-time code."""

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from benchmarks import founding
from benchmarks.screening import fields_of, kind
from client_sdk import FieldClient
from client_sdk.transport import TOTAL_S, HttpTransport, Response

PASSPHRASE: Final = "网格员的口令 42"  # noqa: S105 (of a store that is thrown away)


class Connection:
    """The SDK's transport to one server, whose connection can be ended at will."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        """`ca`: the one authority to believe, for an address of https."""
        self.url: Final = url
        self._context = ssl.create_default_context(cafile=ca) if ca is not None else None
        self._transport = self._new()

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = TOTAL_S
    ) -> Response:
        """See client_sdk.transport.Transport."""
        return self._transport.exchange(method, path, headers, body, timeout_s)

    def renew(self) -> None:
        """The next exchange opens a new connection."""
        self._transport.close()
        self._transport = self._new()

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new(self) -> HttpTransport:
        return HttpTransport(self.url, self._context)


def opened(file: Path, database: str, connection: Connection, grids: Sequence[str]) -> FieldClient:
    """A fresh store, a device with these grids, enrolled and nothing more."""
    client = FieldClient.open(file, passphrase=PASSPHRASE, transport=connection)
    [code] = asyncio.run(founding.codes(database, grids, 1))
    client.enrol(connection.url, code=code)
    return client


def create(client: FieldClient, record: dict[str, Any], grid: str) -> None:
    """Saves one of the workload's records as a worker would."""
    client.create(kind().name, grid=grid, **fields_of(record))
