"""One sync from the device's side, without the link: what both drivers do between two exchanges.

The session (sync_protocol/session.py) decides; these steps carry out what touches the store, and the two
loops at the end carry out the rest, one blocking and one under asyncio.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_sdk.compression import ACCEPTED, Undecodable, packed, unpacked
from client_sdk.store import keys, locks, meta, queue
from client_sdk.store.answers import apply_answer
from client_sdk.store.store import Store
from client_sdk.transport import AsyncTransport, LinkBroken, Response, Transport
from client_sdk.trust import Address, advice
from sync_protocol import signing
from sync_protocol.dictionary import CODING
from sync_protocol.errors import (
    Incompatible,
    NotEnrolled,
    Offline,
    QueueNotEmpty,
    Refused,
    Revoked,
    RoundbookError,
)
from sync_protocol.ids import RANDOM_BYTES, uuid7
from sync_protocol.session import SyncSession
from sync_protocol.session_report import Progress, SyncReport
from sync_protocol.session_steps import (
    Action,
    Applied,
    Apply,
    Broken,
    Collect,
    Collected,
    Event,
    Exchange,
    Finish,
    Received,
    Wait,
    Waited,
)

SYNC_PATH: Final = "/v1/sync"
CLIENT: Final = "roundbook-device/0.1"
_NONCE_BYTES: Final = 16
_UNAUTHORISED: Final = 401
_UNSUPPORTED: Final = 415
_PLAIN_BYTES_MAX: Final = 64 * 2**20
_TELLING_BYTES: Final = 4_096
"""A smaller answer tells how long the way is, and nothing of how narrow."""
_SLOW_BYTES_S: Final = 40_000
"""A link that brings less is spared (320 kbit/s)."""
_SAVE_DATA: Final = {"save-data": "on"}
_JSON: Final = {"content-type": "application/json"}
OnProgress = Callable[[Progress], object]


class Outgoing(msgspec.Struct, frozen=True):
    """A request, ready for a transport."""

    headers: dict[str, str]
    body: bytes
    plain: bytes
    """The body before compression, which that of the answer builds on."""


class Steps:
    """The device's part of one sync. Blocking; none of it waits for the network."""

    def __init__(self, store: Store, clock: Callable[[], int], random: Callable[[int], bytes]) -> None:
        """Raises NotEnrolled for a store that belongs to no device."""
        self._store, self._clock, self._random = store, clock, random
        self._through: int | None = None
        self._serial = 0
        self._coding = CODING
        self._narrow = False
        """Whether the last answer that tells came over a narrow link."""
        with store.inner.read() as tx:
            identity, self._seed = meta.identity(tx), keys.present(tx) or b""
        if identity is None or not self._seed:
            raise not_enrolled()
        self._identity = identity
        self._began_ms = clock()
        self.address = Address(identity.url, identity.authority)

    def collect(self, action: Collect) -> Collected:
        """Reads the queue and where the device stands; what the request will use up is durable on return."""
        store = self._store
        with store.inner.write() as tx:
            batch = queue.batch(tx, action.changes_max, action.bytes_max)
            if batch.counter:
                store.using(tx, batch.counter)
            self._through = action.through
            if self._through is None or locks.is_revoked(tx):  # then everything goes, the drafts as well
                self._through = queue.last_place(tx)
            left, left_bytes = queue.waiting(tx, self._through)
            self._serial = meta.integer(tx, meta.SERIAL) + 1
            meta.put(tx, meta.SERIAL, self._serial)
            self._seed = keys.present(tx) or self._seed
            if keys.is_due(tx):
                keys.put_replacement(tx, self._random(keys.SEED_BYTES))
            identity = self._identity
            profile = meta.profile(tx)
            return Collected(
                nonce=self._random(_NONCE_BYTES).hex(),
                server=identity.server,
                epoch=meta.text(tx, meta.EPOCH) or "",
                now=self._clock(),
                lowest=queue.lowest(tx),
                queued=queue.waiting(tx)[0],
                left=left,
                left_bytes=left_bytes,
                through=self._through,
                cursor=meta.text(tx, meta.CURSOR),
                profile=profile.tag if profile is not None else None,
                ids=batch.ids,
                changes=batch.changes,
                client=CLIENT,
                numbers=batch.numbers,
                offer=keys.offer(tx, identity.township, identity.device, self._serial),
            )

    def dress(self, action: Exchange, coding: str | None = None) -> Outgoing:
        """Compresses and signs a body; without `coding` in the protocol's own, while the server knows it."""
        coding = coding or self._coding
        body, headers = packed(action.body, coding)
        if coding != CODING:
            headers |= {"accept-encoding": ACCEPTED}
        if self._narrow:
            headers |= _SAVE_DATA
        key = Ed25519PrivateKey.from_private_bytes(self._seed)
        signature = key.sign(signing.signed_bytes("POST", SYNC_PATH, self._serial, body))
        identity = self._identity
        signed = signing.headers(identity.township, identity.device, self._serial, signature)
        return Outgoing({**_JSON, **headers, **signed}, body, action.body)

    def read(self, outgoing: Outgoing, response: Response, took_s: float) -> Event:
        """A response as the session takes it, and how long it took to come, in seconds."""
        up, down = len(outgoing.body), len(response.body)
        if down >= _TELLING_BYTES:
            self._narrow = down < took_s * _SLOW_BYTES_S
        if response.status == _UNAUTHORISED and self._former_key():
            return Broken("former_key", self._chance(), up, down)
        if response.status == _UNSUPPORTED and self._coding == CODING:
            self._coding = "zstd"  # an older server, or something before it that reads what passes
            return Broken("coding_unknown", self._chance(), up, down)
        encoding = response.headers.get("content-encoding", "")
        try:
            body = unpacked(response.body, encoding, _PLAIN_BYTES_MAX, outgoing.plain)
        except Undecodable:
            return Broken("not_an_answer", self._chance(), up, down)
        type_ = response.headers.get("content-type", "")
        return Received(response.status, type_, body, up, down, self._chance(), _retry_after_s(response))

    def broken(self, error: LinkBroken) -> Broken:
        """A broken link as the session takes it."""
        return Broken(error.reason, self._chance(), error.bytes_up, error.bytes_down)

    def apply(self, action: Apply) -> Applied:
        """Applies an answer, durably."""
        applied = apply_answer(
            self._store, action.answer, action.sent, self._clock(), self._through, self._new_id
        )
        if action.answer.profile is not None:
            self._store.keep_recoverable()
        return applied

    def end(self, action: Finish) -> SyncReport:
        """The report, or the error that the failure means."""
        report = msgspec.structs.replace(
            action.report, duration_s=max(0, self._clock() - self._began_ms) / 1000
        )
        if action.failure is None:
            return report
        if action.failure == "revoked_device":
            wipe_revoked(self._store)
        raise failure(action.failure, action.reason)

    def _former_key(self) -> bool:
        """Whether there is a key to try that the server may know; it may have been restored from a backup."""
        with self._store.inner.write() as tx:
            return keys.fall_back(tx)

    def _new_id(self) -> str:
        return uuid7(self._clock(), self._random(RANDOM_BYTES))

    def _chance(self) -> float:
        return int.from_bytes(self._random(4), "big") / 2**32


def run(
    session: SyncSession,
    steps: Steps,
    transport: Transport,
    sleep: Callable[[float], object],
    on_progress: OnProgress | None,
) -> SyncReport:
    """The blocking loop."""

    def report(action: Collect | Exchange | Apply | Wait) -> Event:
        if isinstance(action, Collect):
            return steps.collect(action)
        if isinstance(action, Apply):
            return steps.apply(action)
        if isinstance(action, Wait):
            sleep(action.seconds)
            return Waited()
        outgoing = steps.dress(action)
        began_s = time.monotonic()
        try:
            response = transport.exchange("POST", SYNC_PATH, outgoing.headers, outgoing.body)
        except LinkBroken as error:
            return steps.broken(error)
        return steps.read(outgoing, response, time.monotonic() - began_s)

    action: Action = session.begin()
    while not isinstance(action, Finish):
        action = session.handle(report(action))
        if on_progress is not None:
            on_progress(session.progress)
    return steps.end(action)


async def run_async(
    session: SyncSession,
    steps: Steps,
    transport: AsyncTransport,
    sleep: Callable[[float], Awaitable[object]],
    on_progress: OnProgress | None,
) -> SyncReport:
    """The loop under asyncio; the store's steps run in threads."""
    loop = asyncio.get_running_loop()

    async def report(action: Collect | Exchange | Apply | Wait) -> Event:
        if isinstance(action, Collect):
            return await asyncio.to_thread(steps.collect, action)
        if isinstance(action, Apply):
            return await asyncio.to_thread(steps.apply, action)
        if isinstance(action, Wait):
            await sleep(action.seconds)
            return Waited()
        outgoing = await asyncio.to_thread(steps.dress, action)
        began_s = loop.time()
        try:
            response = await transport.exchange("POST", SYNC_PATH, outgoing.headers, outgoing.body)
        except LinkBroken as error:
            return steps.broken(error)
        return await asyncio.to_thread(steps.read, outgoing, response, loop.time() - began_s)

    action: Action = session.begin()
    while not isinstance(action, Finish):
        action = session.handle(await report(action))
        if on_progress is not None:
            on_progress(session.progress)
    return steps.end(action)


def wipe_revoked(store: Store) -> None:
    """Removes the store of a revoked device once everything is handed in; its caller holds the sync's lock."""
    with suppress(QueueNotEmpty):  # the link held not long enough: it stays closed, and the next sync goes on
        store.wipe_in_sync(failure("revoked_device", "revoked"))


def json_headers() -> dict[str, str]:
    """Headers of a request whose answer may come in any coding."""
    return {**_JSON, "accept-encoding": ACCEPTED}


def not_enrolled() -> NotEnrolled:
    """The error of a store without a device."""
    return NotEnrolled(
        "本机还没有登记：请用一次性设备码登记 / this store belongs to no device: enrol it with a one-time code"
    )


def failure(code: str, reason: str) -> RoundbookError:
    """The error that a failure of the session means."""
    match code:
        case "offline":
            return _offline(reason)
        case "not_enrolled":
            return NotEnrolled(
                "服务器不认识本机：请重新登记 / the server does not know this device: enrol it again; the queue is kept"
            )
        case "revoked_device":
            return Revoked(
                "本机已停用，未上传的已交给镇里 / this device was revoked; what it had not sent is with the township"
            )
        case "unsupported_protocol":
            return Incompatible(
                "软件与服务器版本不合，请升级 / this program and the server share no protocol version: "
                "upgrade the older of the two"
            )
        case _:
            return Refused(code, f"服务器拒绝了请求（{code}） / the server refused the request ({code})")


def _offline(reason: str) -> Offline:
    known = advice(reason)
    if known is not None:
        return Offline(f"{known[0]}；内容都在，没有丢 / {known[1]}; nothing is lost")
    return Offline(
        f"没有连上服务器，内容都在，稍后再试（{reason}） / no answer from the server, nothing is lost; "
        f"try again later ({reason})"
    )


def _retry_after_s(response: Response) -> float | None:
    """Retry-After in seconds; a date says nothing to a device whose clock may be wrong."""
    text = response.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= len("86400") else None
