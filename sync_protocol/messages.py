"""The messages between a device and the server, as they travel. docs/protocol.md explains them in prose.

Names are short where they repeat. All times are milliseconds since 1970 UTC, all numbers the township's.
Messages from the server are read leniently (a newer server may say more), changes strictly (see changes.py).
"""

from typing import Any

import msgspec

from sync_protocol.canonical import Digest
from sync_protocol.registration import Claim
from sync_protocol.rotation import KeyOffer


class SyncRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one request: the queue up, and where the device stands."""

    protocol: str
    nonce: str
    epoch: str
    """The installation epoch: which copy of the store this is."""
    now: int
    """The device's clock when the request was made."""
    changes: list[msgspec.Raw] = []
    """In the order of their counters."""
    lowest: int = 0
    """The lowest counter that the device still keeps: below it, a gap cannot be filled any more."""
    queued: int = 0
    """How many changes wait on the device, these included."""
    cursor: str | None = None
    profile: str | None = None
    """The profile that the device has, by its tag."""
    reread: tuple[str, ...] = ()
    """Grids whose digest did not match: the server sends them again from the beginning."""
    page_bytes: int = 0
    """How large a page the device takes, before compression; 0 leaves it to the server."""
    client: str = ""
    numbers: dict[str, Claim] = {}
    """Record to the registration number that it had, of changes that are offered again."""
    offer: KeyOffer | None = None
    """Another key that the device wants to sign with from now on; see rotation.py."""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one change. The first verdict is the verdict for ever; a resent change gets it again."""

    id: str
    result: str
    """One of outcome.Result; a newer server may know more."""
    n: int = 0
    """The change's number. Its record is up to date once the base has reached it."""
    code: str | None = None
    """Why it is in quarantine; see codes.py."""
    field: str | None = None
    reason: str | None = None
    number: str | None = None
    """The registration number that this change brought the record."""
    proof: str | None = None
    """Shows that the number was given to this record, should the server forget it; see registration.py."""
    formerly: str | None = None
    """The number that the record had before the server was restored, and has not now: another one has got it since, or
    this one has got `number`, or this change waits in quarantine, and will bring it when the office takes it in."""
    differs: tuple[str, ...] = ()
    """The paths of a `conflict` that somebody else had written too."""
    duplicate: bool = False


class Unanswered(msgspec.Struct, frozen=True):
    """An element of `changes` of which not even the id could be read: kept by the server under `kept`."""

    index: int
    code: str
    kept: str


class PageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record as it stands, or what has changed in it since the cursor's base."""

    id: str
    n: int
    """The record's version."""
    kind: str = ""
    place: str = ""
    """Given when it is whole, or has moved."""
    whole: bool = False
    """Whether `fields` is everything, so that what it does not name is empty."""
    fields: msgspec.Raw = msgspec.Raw(b"{}")
    """Values by field; null where one was cleared. A set comes as a whole; entries see `entries`."""
    entries: dict[str, dict[str, Any]] = {}
    """Changed entries of records that are not whole: field, entry id, all its sub-fields; null when removed."""
    state: str | None = None
    """The state of the workflow, whenever the kind has one."""
    number: str | None = None
    own: tuple[str, ...] = ()
    """Changes of this very request that made the difference, to be applied to the base in this order, before
    `fields`: the device has their content."""


class Exit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record left a grid: the device drops it unless it holds a version above `n`; unsent changes stay."""

    id: str
    n: int
    why: str = "moved"
    """moved, closed, deleted, restricted."""
    state: str | None = None
    number: str | None = None


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What later became of a change of this device: replayed, decided, joined, discarded."""

    n: int
    change: str
    outcome: str
    """applied, kept, not_kept, discarded; or the state into which the office took the author's report."""
    record: str | None = None
    path: str | None = None
    by: str | None = None
    reason: str | None = None
    at: int = 0


class Page(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of the stream, applied in one local transaction together with its cursor."""

    cursor: str
    records: list[PageRecord] = []
    exits: list[Exit] = []
    receipts: list[Receipt] = []
    complete: bool = False
    """Whether this reaches the head: nothing more to read now."""
    restart: tuple[str, ...] = ()
    """Grids that come again from the beginning, starting with this page: what the device holds of them is old."""
    fresh: tuple[str, ...] = ()
    """Grids whose reading from the beginning ends with this page: what is still old goes."""
    drop: tuple[str, ...] = ()
    """Grids that this device has no longer; unsent changes stay."""
    digests: dict[str, Digest] = {}
    """Of every grid, in the page's snapshot; only in a complete page."""
    left: int = 0
    """About how many records are still to come."""


class Person(msgspec.Struct, frozen=True):
    """The worker whom the device belongs to."""

    id: str
    name: str
    role: str


class Grid(msgspec.Struct, frozen=True):
    """A grid of the device, with the name of its village."""

    code: str
    name: str
    village: str


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device needs to know to work offline."""

    tag: str
    device: str
    township: str
    township_name: str
    worker: Person
    grids: tuple[Grid, ...]
    kinds: tuple[msgspec.Raw, ...]
    """Declarations, each to be read by itself (kinds.from_json): an older device leaves out what it cannot read."""
    duty_phone: str | None = None
    file_key: str | None = None
    """The key of this device's files (files.py), base64url without padding."""
    recovery_key: str | None = None
    """The township's recovery key, X25519, to which the store's key is sealed (keyfile.py); base64url as above."""
    lease_days: int = 0
    """How long the store stays open without a contact (lease.py); 0: as long as its passphrase is known."""


class SyncAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one answer. Only committed verdicts are in it."""

    protocol: str
    nonce: str
    server: str
    """Which server, and which of its timelines: the township's identity and epoch."""
    now: int
    """The server's clock."""
    verdicts: list[Verdict] = []
    unanswered: list[Unanswered] = []
    send_from: int | None = None
    """A gap: the server has everything below this counter, and nothing above was taken."""
    fork: bool = False
    """The counter went back: another copy of this store is in use. Take a new epoch and send again."""
    offer_above: int | None = None
    """The server was restored: offer again every kept change whose number is above this."""
    serial: int | None = None
    """The request's serial was old: the last one seen. Verdicts count, but there is no page; sign above it."""
    revoked: bool = False
    """The device, or this copy of it, reads nothing any more: it hands in what it has not sent."""
    key: str | None = None
    """The key that the request offered is the one that the device signs with."""
    cursor_refused: str | None = None
    """Why the cursor could not be used (a code): the page reads from the beginning."""
    cursor: str | None = None
    """After a restore, for a device that gets no page: where it stands, so that it is asked to offer only once."""
    page: Page | None = None
    profile: Profile | None = None


class EnrolRequest(msgspec.Struct, frozen=True):
    """A new device shows its one-time code and its public key."""

    protocol: str
    code: str
    public_key: str
    """Ed25519, 32 bytes, base64url without padding."""
    client: str = ""


class EnrolAnswer(msgspec.Struct, frozen=True):
    """Who the device is now."""

    protocol: str
    server: str
    now: int
    profile: Profile
