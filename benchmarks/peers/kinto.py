"""Kinto over PostgreSQL: `pip install "kinto[postgresql]"` into an environment of its own, and KINTO names its program.

As its documentation has it: the storage in PostgreSQL, one process of waitress. Batches are as large as ours, which
its default of 25 does not allow.
"""

import base64
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from benchmarks import servers
from benchmarks.ground import Ground, plain
from benchmarks.peers.peer import Connection, Record, Server
from benchmarks.works.upload import BATCH
from tests.postgres import free_port

_INSTALL: Final = 'pip install "kinto[postgresql]" into an environment of its own; KINTO=/path/to/kinto'
_RECORDS: Final = "/v1/buckets/town/collections/matters/records"
_PAGE: Final = 1_000
_INI: Final = """
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}

[app:main]
use = egg:kinto
kinto.userid_hmac_secret = {secret}
kinto.storage_backend = kinto.core.storage.postgresql
kinto.storage_url = {database}
kinto.permission_backend = kinto.core.permission.postgresql
kinto.permission_url = {database}
kinto.cache_backend = kinto.core.cache.memory
kinto.bucket_create_principals = system.Authenticated
kinto.batch_max_requests = {batch}
multiauth.policies = basicauth
multiauth.policy.basicauth.use = kinto.core.authentication.BasicAuthAuthenticationPolicy

[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = ERROR
handlers =
"""


def _found() -> str | None:
    """Where Kinto is; None where it is not installed."""
    return os.environ.get("KINTO") or shutil.which("kinto")


@contextmanager
def _served(ground: Ground) -> Iterator[str]:
    """A fresh Kinto with an empty collection; its address."""
    kinto, port, ini = _found(), free_port(), ground.file("kinto.ini")
    assert kinto is not None
    with ground.empty() as database:
        told = {"port": port, "secret": secrets.token_hex(16), "database": plain(database), "batch": BATCH}
        ini.write_text(_INI.format(**told), encoding="utf-8")
        subprocess.run([kinto, "migrate", "--ini", str(ini)], check=True, capture_output=True)
        url = f"http://127.0.0.1:{port}"
        with servers.process([kinto, "start", "--ini", str(ini), "--port", str(port)], f"{url}/v1/"):
            connection = Connection(url, _HEADERS)
            connection.ask("PUT", "/v1/buckets/town")
            connection.ask("PUT", "/v1/buckets/town/collections/matters")
            connection.close()
            yield url


_HEADERS: Final = {"authorization": f"Basic {base64.b64encode(b'worker:worker').decode()}"}


class _Kinto:
    def __init__(self, url: str) -> None:
        self._connection = Connection(url, _HEADERS)
        self._since = '"0"'

    def push(self, records: Sequence[Record]) -> None:
        requests = [{"path": f"{_RECORDS[3:]}/{one['id']}", "body": {"data": one}} for one in records]
        told, _ = self._connection.ask(
            "POST", "/v1/batch", {"defaults": {"method": "PUT"}, "requests": requests}
        )
        refused = [one for one in told["responses"] if one["status"] not in {200, 201}]
        if refused:
            message = f"Kinto refused {len(refused)} of {len(records)}, the first: {refused[0]}"[:500]
            raise SystemExit(message)

    def pull(self) -> int:
        return len(self._changed(""))

    def exchange(self, records: Sequence[Record]) -> tuple[int, int]:
        before = self._connection.trips
        self.push(records)
        came = self._changed(f"&_since={self._since}".replace('"', "%22"))
        return self._connection.trips - before, len(came)

    def _changed(self, since: str) -> list[Any]:
        target: str | None = f"{_RECORDS}?_limit={_PAGE}{since}"
        found: list[Any] = []
        while target is not None:
            told, headers = self._connection.ask("GET", target)
            found += told["data"]
            self._since = headers["etag"]
            following = headers.get("next-page")
            target = following[following.index("/v1/") :] if following else None
        return found


SERVER: Final = Server("Kinto", _INSTALL, _found, _served, _Kinto)
