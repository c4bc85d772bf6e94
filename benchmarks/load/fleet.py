"""Devices without a store: a queue and a cursor in memory, everything else as the SDK does it.

The sync is the SDK's own state machine, with its policy of attempts and pauses; requests are compressed and
signed as the SDK's are, and each exchange opens a connection of its own, as a phone does after hours away.
"""

import asyncio
import random
import secrets
import time
from dataclasses import dataclass, field
from typing import Final

import msgspec

from benchmarks.load.county import Enrolled
from client_sdk.compression import packed, unpacked
from sync_protocol import signing
from sync_protocol.changes import Change, encode
from sync_protocol.dictionary import CODING
from sync_protocol.ids import uuid7
from sync_protocol.session import Policy, SyncSession
from sync_protocol.session_steps import (
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

_PATH: Final = "/v1/sync"
_EXCHANGE_S: Final = 60.0
_ANSWER_BYTES_MAX: Final = 64 * 2**20
_BUSY: Final = 503
_TEXT: Final = "村民反映灌溉水渠堵塞，已到现场查看，约定周三由村里组织清淤。" * 8


@dataclass
class Told:
    """What became of one device's sync. Times in seconds."""

    began_s: float
    ended_s: float = 0.0
    tries: int = 0
    """Requests that were sent."""
    shed: int = 0
    broken: int = 0
    given_up: int = 0
    """Syncs that ended before all was done, because five attempts in a row brought nothing."""
    pauses: list[tuple[float, float]] = field(default_factory=list)
    """What the server asked for, and how long the device then waited."""

    @property
    def waited_s(self) -> float:
        """From the worker's wish to the last answer."""
        return self.ended_s - self.began_s


class Device:
    """One enrolled device."""

    def __init__(self, enrolled: Enrolled, host: str, port: int, policy: Policy) -> None:
        self._me, self._host, self._port, self._policy = enrolled, host, port, policy
        self._epoch = _new_id()
        self._serial = self._counter = 0
        self._cursor: str | None = None
        self._profile: str | None = None
        self._queue: dict[str, bytes] = {}

    @property
    def waiting(self) -> int:
        """Changes without a verdict."""
        return len(self._queue)

    def save(self, count: int) -> None:
        """So many new records of about 900 bytes."""
        for _ in range(count):
            self._counter += 1
            fields = {"nature": "dispute", "title": f"水渠堵塞 {self._counter}", "narrative": _TEXT}
            change = Change(
                _new_id(),
                _new_id(),
                "matter",
                1,
                self._counter,
                _now_ms(),
                "create",
                place=self._me.grid,
                fields=msgspec.Raw(msgspec.json.encode(fields)),
            )
            self._queue[change.id] = encode(change)

    async def sync(self, told: Told) -> None:
        """Syncs until nothing waits and the page is complete; a sync that gave up is begun again."""
        while True:
            finish = await self._one_sync(told)
            if finish.failure is None and finish.report.complete:
                told.ended_s = time.monotonic()
                return
            if finish.failure not in {None, "offline"}:
                message = f"{finish.failure}: {finish.reason}"
                raise RuntimeError(message)
            told.given_up += 1

    async def _one_sync(self, told: Told) -> Finish:
        session = SyncSession(self._policy)
        action = session.begin()
        asked_s: float | None = None
        while not isinstance(action, Finish):
            event: Event
            if isinstance(action, Exchange):
                event = heard = await self._exchange(action, told)
                asked_s = heard.retry_after_s
            elif isinstance(action, Wait):
                if asked_s is not None:
                    told.pauses.append((asked_s, action.seconds))
                await asyncio.sleep(action.seconds)
                event = Waited()
            else:
                event = self._collect(action) if isinstance(action, Collect) else self._apply(action)
            action = session.handle(event)
        return action

    def _collect(self, action: Collect) -> Collected:
        self._serial += 1
        batch = list(self._queue.items())[: action.changes_max]
        return Collected(
            nonce=secrets.token_hex(16),
            server=self._me.server,
            epoch=self._epoch,
            now=_now_ms(),
            lowest=self._counter - len(self._queue) + 1,
            queued=len(self._queue),
            left=len(self._queue),
            left_bytes=sum(map(len, self._queue.values())),
            through=self._counter,
            cursor=self._cursor,
            profile=self._profile,
            ids=tuple(id_ for id_, _ in batch),
            changes=tuple(msgspec.Raw(body) for _, body in batch),
            client="load",
        )

    def _apply(self, action: Apply) -> Applied:
        for verdict in action.answer.verdicts:
            if verdict.result != "applied":
                message = f"a sound change was {verdict.result}: {verdict.code}"
                raise RuntimeError(message)
            self._queue.pop(verdict.id, None)
        page = action.answer.page
        self._cursor = page.cursor if page is not None else self._cursor
        self._profile = action.answer.profile.tag if action.answer.profile is not None else self._profile
        return Applied(left=len(self._queue))

    async def _exchange(self, action: Exchange, told: Told) -> Received | Broken:
        told.tries += 1
        body, headers = packed(action.body, CODING)
        signature = self._me.key.sign(signing.signed_bytes("POST", _PATH, self._serial, body))
        signed = signing.headers(self._me.township, self._me.device, self._serial, signature)
        try:
            async with asyncio.timeout(_EXCHANGE_S):
                status, answered, content = await self._talk({**headers, **signed}, body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            told.broken += 1
            return Broken(type(error).__name__, random.random())
        told.shed += status == _BUSY
        coding = answered.get("content-encoding", "")
        plain = unpacked(content, coding, _ANSWER_BYTES_MAX, action.body)
        after = answered.get("retry-after")
        return Received(
            status,
            answered.get("content-type", ""),
            plain,
            len(body),
            len(content),
            random.random(),
            float(after) if after is not None else None,
        )

    async def _talk(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers, body as it travelled."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            lines = [f"{name}: {value}" for name, value in headers.items()]
            first = [f"POST {_PATH} HTTP/1.1", "host: load", f"content-length: {len(body)}"]
            kept = ["accept-encoding: zstd", "connection: close"]
            writer.write("\r\n".join([*first, *lines, *kept, "", ""]).encode() + body)
            top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            named = dict(line.lower().split(": ", 1) for line in top[1:] if line)
            content = await reader.readexactly(int(named["content-length"]))
            return int(top[0].split(" ")[1]), named, content
        finally:
            writer.close()


async def evening(devices: list[Device], within_s: float, changes: int) -> list[Told]:
    """Each device saves some changes and syncs, at a moment of its own within so many seconds."""

    async def one(device: Device) -> Told:
        await asyncio.sleep(random.uniform(0, within_s))
        device.save(changes)
        told = Told(time.monotonic())
        await device.sync(told)
        return told

    return await asyncio.gather(*(one(device) for device in devices))


def _new_id() -> str:
    return uuid7(_now_ms(), secrets.token_bytes(10))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
