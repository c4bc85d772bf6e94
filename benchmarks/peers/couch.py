"""A server of the CouchDB replication protocol: CouchDB, or PouchDB Server.

COUCH_URL names one that runs, with an administrator's name and password in it; otherwise `npm install pouchdb-server`
anywhere, and POUCHDB_SERVER names its program. The client takes the protocol's own steps
(https://docs.couchdb.org/en/stable/replication/protocol.html), several of them for a batch, as replicators do.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks import servers
from benchmarks.ground import Ground
from benchmarks.peers.peer import Connection, Record, Server
from tests.postgres import free_port

_INSTALL: Final = "npm install pouchdb-server; POUCHDB_SERVER=/path/to/pouchdb-server. Or COUCH_URL=http://name:password@host:5984"
_PAGE: Final = 1_000


def _found() -> str | None:
    """Where a server is: an address, or a program to start; None where there is neither."""
    return os.environ.get("COUCH_URL") or os.environ.get("POUCHDB_SERVER") or shutil.which("pouchdb-server")


@contextmanager
def _served(ground: Ground) -> Iterator[str]:
    """A server with an empty database of its own name; the address of that."""
    found, name = _found(), f"town{secrets.token_hex(4)}"
    assert found is not None
    if found.startswith("http"):
        with _database(found, name) as url:
            yield url
        return
    folder, port = ground.file("pouch"), free_port()
    folder.mkdir()
    command = [
        found,
        "--port",
        str(port),
        "--dir",
        str(folder),
        "--config",
        str(folder / "config.json"),
        "-n",
    ]
    url = f"http://127.0.0.1:{port}"
    with servers.process(command, f"{url}/", folder=folder), _database(url, name) as made:
        yield made


@contextmanager
def _database(url: str, name: str) -> Iterator[str]:
    connection = _connection(url)
    connection.ask("PUT", f"/{name}")
    connection.close()
    try:
        yield f"{url.rstrip('/')}/{name}"
    finally:
        connection.ask("DELETE", f"/{name}")
        connection.close()


def _connection(url: str) -> Connection:
    parts = urlsplit(url)
    if parts.username is None:
        return Connection(url, {})
    named = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    return Connection(url, {"authorization": f"Basic {named}"})


class _Couch:
    def __init__(self, url: str) -> None:
        self._connection = _connection(url)
        self._path = urlsplit(url).path
        self._since: Any = 0
        self._checkpoint: str | None = None
        self._local = f"{self._path}/_local/{secrets.token_hex(8)}"

    def push(self, records: Sequence[Record]) -> None:
        self._up(records)
        self._note()

    def pull(self) -> int:
        self._since = 0
        return self._down()

    def exchange(self, records: Sequence[Record]) -> tuple[int, int]:
        before = self._connection.trips
        self._up(records)
        came = self._down()
        self._note()
        return self._connection.trips - before, came

    def _up(self, records: Sequence[Record]) -> None:
        docs = [_document(one) for one in records]
        missing, _ = self._connection.ask(
            "POST", f"{self._path}/_revs_diff", {doc["_id"]: [doc["_rev"]] for doc in docs}
        )
        wanted = [doc for doc in docs if doc["_id"] in missing]
        told, _ = self._connection.ask(
            "POST", f"{self._path}/_bulk_docs", {"docs": wanted, "new_edits": False}
        )
        refused = [one for one in told if "error" in one]
        if refused or len(wanted) != len(docs):
            message = f"the server took {len(wanted) - len(refused)} of {len(docs)}: {refused[:1]}"
            raise SystemExit(message)

    def _down(self) -> int:
        came = 0
        while True:
            asked = f"{self._path}/_changes?style=all_docs&limit={_PAGE}&since={self._since}"
            told, _ = self._connection.ask("GET", asked)
            self._since = told["last_seq"]
            wanted = [
                {"id": row["id"], "rev": change["rev"]}
                for row in told["results"]
                for change in row["changes"]
            ]
            if wanted:
                asked = f"{self._path}/_bulk_get?revs=true&latest=true"
                got, _ = self._connection.ask("POST", asked, {"docs": wanted})
                came += sum("ok" in doc for result in got["results"] for doc in result["docs"])
            if len(told["results"]) < _PAGE:
                return came

    def _note(self) -> None:
        """The checkpoint of the replication, without which the next one would begin anew."""
        said = {"last_seq": self._since, **({"_rev": self._checkpoint} if self._checkpoint else {})}
        told, _ = self._connection.ask("PUT", self._local, said)
        self._checkpoint = told["rev"]


def _document(record: Record) -> dict[str, Any]:
    values = {name: value for name, value in record.items() if name != "id"}
    digest = hashlib.md5(json.dumps(values).encode(), usedforsecurity=False).hexdigest()
    revisions = {"start": 1, "ids": [digest]}
    return {"_id": record["id"], "_rev": f"1-{digest}", "_revisions": revisions, **values}


SERVER: Final = Server("CouchDB protocol", _INSTALL, _found, _served, _Couch)
