"""A device of the benchmark: enrolled like any other, sending changes that were built beforehand."""

import http.client
import json
import secrets
import subprocess
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.servers import ENVIRONMENT, PROGRAM
from benchmarks.works import HERE, TOWNSHIP, new_id
from sync_protocol import codec, signing
from sync_protocol.messages import EnrolRequest, SyncAnswer, SyncRequest
from sync_protocol.versions import CURRENT

GRIDS: Final = [f"{TOWNSHIP}203{n:03}" for n in (1, 2, 3)]
WORKER: Final = "王芳"
_ENROL: Final = "/v1/devices/enrol"
_SYNC: Final = "/v1/sync"


def prepare(database: str) -> None:
    """A fresh database with the real directory, one township, one worker and the workload's kind."""
    villages = str(HERE.parent / "server" / "directory" / "data" / "villages_3_counties.csv")
    command(database, "migrate")
    command(database, "directory", "import", villages)
    command(database, "township", "open", TOWNSHIP)
    command(database, "kinds", "install", str(HERE / "screening.toml"))
    command(database, "staff", "add", "--name", WORKER, "--role", "grid_worker", "--township", TOWNSHIP)


def command(database: str, *words: str) -> bytes:
    """What a `roundbook` command prints."""
    return subprocess.run(
        [str(PROGRAM), *words, "--database", database], env=ENVIRONMENT, check=True, capture_output=True
    ).stdout


class Device:
    """One enrolled device over one connection."""

    def __init__(self, database: str, url: str) -> None:
        """Enrols with a fresh one-time code."""
        grids = [word for grid in GRIDS for word in ("--grid", grid)]
        code = json.loads(command(database, "device", "code", "--worker", WORKER, *grids, "--json"))["code"]
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._key = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(32))
        public = signing.encode_bytes(self._key.public_key().public_bytes_raw())
        answer = codec.read_enrol_answer(
            self._post(_ENROL, codec.encode(EnrolRequest(CURRENT, code, public)), {})
        )
        self._id = answer.profile.device
        self._profile = answer.profile.tag
        self._epoch, self._serial = new_id(), 0
        self._cursor: str | None = None

    def sync(self, changes: list[msgspec.Raw]) -> SyncAnswer:
        """One exchange: these changes up, a page down."""
        self._serial += 1
        request = SyncRequest(
            CURRENT, secrets.token_hex(8), self._epoch, time.time_ns() // 1_000_000, changes, cursor=self._cursor,
            profile=self._profile,
        )  # fmt: skip
        body = codec.encode(request)
        signature = self._key.sign(signing.signed_bytes("POST", _SYNC, self._serial, body))
        headers = signing.headers(TOWNSHIP, self._id, self._serial, signature)
        answer = codec.read_answer(self._post(_SYNC, body, headers))
        self._cursor = answer.page.cursor if answer.page is not None else self._cursor
        return answer

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        self._connection.request("POST", path, body, {"content-type": "application/json", **headers})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {content[:300]!r}")
        return content
