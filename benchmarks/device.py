"""A device of a benchmark, and the floor's: changes built beforehand go up, pages come down; nothing is stored."""

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from benchmarks.link import Link
from benchmarks.load.county import Enrolled
from benchmarks.screening import new_id
from client_sdk.compression import packed, unpacked
from sync_protocol import codec, signing
from sync_protocol.dictionary import CODING
from sync_protocol.messages import PageRecord, SyncAnswer, SyncRequest
from sync_protocol.session import Policy
from sync_protocol.versions import CURRENT

if TYPE_CHECKING:
    from sync_protocol.canonical import Digest

_PAGE_BYTES: Final = Policy().page_bytes_max
_SYNC: Final = "/v1/sync"
_JSON: Final = {"content-type": "application/json"}
_ANSWER_BYTES_MAX: Final = 64 * 2**20


class Device:
    """One enrolled device over one connection. Frame and signature are made at sending; the body goes up plain."""

    def __init__(
        self, enrolled: Enrolled, url: str, *, accepts: str = "identity", sparing: bool = False
    ) -> None:
        """`accepts`: the encoding in which answers come, `zstd` for one. `sparing`: as the SDK asks on a slow link."""
        self.me: Final = enrolled
        self.link: Final = Link(url)
        self._accepts, self._sparing = accepts, sparing
        self._epoch, self._serial = new_id(), 0
        self.cursor: str | None = None
        self._profile: str | None = None
        self.complete = False
        """Whether the last page reached the head."""
        self.digests: dict[str, Digest] = {}
        """Of the last page that did."""

    def moved(self, url: str) -> "Device":
        """This very device before the server of a copy of its database, on a connection of its own."""
        other = Device(self.me, url, accepts=self._accepts)
        other._epoch, other._serial = self._epoch, self._serial
        other.cursor, other._profile, other.complete = self.cursor, self._profile, self.complete
        return other

    def sync(self, changes: Sequence[msgspec.Raw] = ()) -> SyncAnswer:
        """One exchange: these changes up, a page down. Ends the benchmark when a change got no verdict."""
        self._serial += 1
        request = SyncRequest(
            CURRENT, secrets.token_hex(16), self._epoch, time.time_ns() // 1_000_000, list(changes),
            cursor=self.cursor, profile=self._profile, page_bytes=_PAGE_BYTES,
        )  # fmt: skip
        plain = body = codec.encode(request)
        headers = {**_JSON, "accept-encoding": self._accepts}
        if self._sparing:
            body, packed_as = packed(plain, CODING)
            headers = {**_JSON, **packed_as, "save-data": "on"}
        signature = self.me.key.sign(signing.signed_bytes("POST", _SYNC, self._serial, body))
        headers |= signing.headers(self.me.township, self.me.device, self._serial, signature)
        got = self.link.exchange("POST", _SYNC, headers, body)
        answer = codec.read_answer(
            unpacked(got.body, got.headers.get("content-encoding", ""), _ANSWER_BYTES_MAX, plain)
        )
        self._take(answer, len(changes))
        return answer

    def push(self, changes: Sequence[msgspec.Raw]) -> None:
        """The same, for new records: ends the benchmark when one was not applied."""
        answer = self.sync(changes)
        refused = [verdict for verdict in answer.verdicts if verdict.result != "applied"]
        if refused:
            message = f"{len(refused)} of {len(changes)} were not applied, the first: {refused[0]}"
            raise SystemExit(message)

    def page(self) -> list[PageRecord]:
        """The next page, of the size that the SDK asks for."""
        page = self.sync().page
        return page.records if page is not None else []

    def pull(self) -> list[PageRecord]:
        """Everything up to the head, one page at least."""
        records = self.page()
        while not self.complete:
            records += self.page()
        return records

    def _take(self, answer: SyncAnswer, sent: int) -> None:
        if len(answer.verdicts) != sent:
            message = f"{sent} changes got {len(answer.verdicts)} verdicts: {answer}"[:500]
            raise SystemExit(message)
        if answer.page is not None:
            self.cursor, self.complete = answer.page.cursor, answer.page.complete
            self.digests = answer.page.digests if self.complete else self.digests
        if answer.profile is not None:
            self._profile = answer.profile.tag


_PAGE_ROWS: Final = 1_000


class _Rows(msgspec.Struct, frozen=True):
    seq: int
    rows: list[msgspec.Raw]


class FloorClient:
    """The same for the floor server."""

    def __init__(self, url: str, township: int = 1) -> None:
        """One connection to the floor at `url`."""
        self.link: Final = Link(url)
        self.complete = False
        """Whether the last page reached the end."""
        self._township = township
        self._since = 0

    def push(self, body: bytes, count: int) -> None:
        """One batch, as JSON; ends the benchmark when it was not taken."""
        taken = self.link.exchange("POST", f"/push?township={self._township}", _JSON, body)
        if msgspec.json.decode(taken.body)["n"] != count:
            message = f"the floor took {taken.body!r} of {count}"
            raise SystemExit(message)

    def page(self) -> list[msgspec.Raw]:
        """The next page of a thousand rows, in zstd."""
        target = f"/pull?township={self._township}&since={self._since}&limit={_PAGE_ROWS}&encoding=zstd"
        rows = self._rows(self.link.exchange("GET", target, {}).body)
        self.complete = len(rows) < _PAGE_ROWS
        return rows

    def sync(self, body: bytes) -> list[msgspec.Raw]:
        """One batch up and a page down in one round trip."""
        target = f"/sync?township={self._township}&since={self._since}&encoding=zstd"
        return self._rows(self.link.exchange("POST", target, _JSON, body).body)

    def _rows(self, body: bytes) -> list[msgspec.Raw]:
        page = msgspec.json.decode(unpacked(body, "zstd", _ANSWER_BYTES_MAX), type=_Rows)
        self._since = page.seq
        return page.rows
