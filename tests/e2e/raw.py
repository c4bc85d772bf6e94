"""A hostile device: it says what it likes, and signs it."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_sdk import Response
from sync_protocol import signing
from sync_protocol.messages import SyncAnswer
from sync_protocol.versions import CURRENT
from tests.e2e.village import GRID, START_MS, Village

SYNC: Final = "/v1/sync"
PLAIN: Final = {"accept-encoding": "identity"}
_answer: Final = msgspec.json.Decoder(SyncAnswer).decode


class RawDevice:
    """An enrolled device without a store."""

    def __init__(self, village: Village, name: str, *grids: str) -> None:
        self.village = village
        self.key = Ed25519PrivateKey.generate()
        self.epoch = village.new_id()
        self.serial = self.n = self.requests = 0
        self.cursor: str | None = None
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        asked = {
            "protocol": CURRENT,
            "code": village.code(name, *(grids or (GRID,))),
            "public_key": signing.encode_bytes(raw),
        }
        response = village.link.exchange("POST", "/v1/devices/enrol", PLAIN, msgspec.json.encode(asked))
        assert response.status == 200, response.body
        profile = msgspec.json.decode(response.body)["profile"]
        self.id, self.town = profile["device"], profile["township"]

    def create(self, **parts: Any) -> dict[str, Any]:
        """A sound create of a well; `parts` replace or add members, None removes one."""
        given = {"record": self.village.new_id(), "do": "create", "place": GRID, "fields": {"title": "井"}}
        return self.change(**{**given, **parts})

    def change(self, **parts: Any) -> dict[str, Any]:
        """A change with the next counter."""
        self.n += 1
        given = {"id": self.village.new_id(), "kind": "well", "version": 1, "n": self.n, "at": START_MS}
        return {name: value for name, value in {**given, **parts}.items() if value is not None}

    def frame(self, changes: list[Any], **more: Any) -> dict[str, Any]:
        self.requests += 1
        given = {
            "protocol": CURRENT,
            "nonce": f"{self.requests:032x}",
            "epoch": self.epoch,
            "now": START_MS,
            "changes": changes,
            "lowest": 1,
            "cursor": self.cursor,
        }
        return {name: value for name, value in {**given, **more}.items() if value is not None}

    def body(self, *changes: Any, **more: Any) -> bytes:
        """A request. A change given as bytes travels as those bytes."""
        raw = [msgspec.Raw(one) if isinstance(one, bytes) else one for one in changes]
        return msgspec.json.encode(self.frame(raw, **more))

    def headers(self, body: bytes, serial: int | None = None, **more: str) -> dict[str, str]:
        if serial is None:
            self.serial += 1
            serial = self.serial
        signature = self.key.sign(signing.signed_bytes("POST", SYNC, serial, body))
        signed = signing.headers(self.town, self.id, serial, signature)
        return {**PLAIN, **signed, **{name.replace("_", "-"): value for name, value in more.items()}}

    def send(self, body: bytes, **more: Any) -> Response:
        """A signed request."""
        return self.village.link.exchange("POST", SYNC, self.headers(body, **more), body)

    def sync(self, *changes: Any, **more: Any) -> SyncAnswer:
        """A request that must be answered."""
        response = self.send(self.body(*changes, **more))
        assert response.status == 200, (response.status, response.body)
        answer = _answer(response.body)
        if answer.page is not None:
            self.cursor = answer.page.cursor
        return answer


def code_of(response: Response) -> tuple[int, str]:
    """Status and code of a problem document, which must be one and leak nothing."""
    assert response.headers["content-type"].startswith("application/problem+json"), response
    body = msgspec.json.decode(response.body)
    text = response.body.decode()
    for leak in ("Traceback", "sqlalchemy", "asyncpg", "sqlite", 'File "', "psycopg", "SELECT "):
        assert leak not in text, text
    assert body["status"] == response.status
    return response.status, body["code"]


SECRET = "周某某家中有难处"
"""Stands in what is sent, and must not stand in any reason."""
OTHERS = "李某某要求保密"
"""Stands in a record of somebody else."""


def refused(response: Response, status: int, code: str) -> None:
    assert code_of(response) == (status, code), response.body
    text = response.body.decode()
    assert SECRET not in text
    assert OTHERS not in text


def sound(device: RawDevice, **more: Any) -> bytes:
    return device.body(device.create(fields={"title": SECRET}), **more)


def with_raw(change: dict[str, Any], **raw: bytes) -> bytes:
    """A change with members given as JSON, sound or not."""
    body = msgspec.json.encode({name: value for name, value in change.items() if name not in raw})
    return body[:-1] + b"".join(b',"%s":%s' % (name.encode(), value) for name, value in raw.items()) + b"}"


def title(raw: bytes) -> Callable[[RawDevice, str], bytes]:
    return lambda d, _: with_raw(d.create(), fields=b'{"title":%s,"note":"%s"}' % (raw, SECRET.encode()))


def skip(device: RawDevice, raw: bytes) -> bytes:
    """An element without a counter: it takes the next."""
    device.n += 1
    return raw
