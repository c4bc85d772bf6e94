"""What a sync session asks of its driver (actions) and what the driver reports (events); see session.py."""

import msgspec

from sync_protocol.messages import SyncAnswer
from sync_protocol.registration import Claim
from sync_protocol.rotation import KeyOffer
from sync_protocol.session_report import SyncReport

# Actions: what the driver does next, and by which event it reports.


class Collect(msgspec.Struct, frozen=True):
    """Read the queue, in the order of its counters, and where the device stands; report Collected.

    At least one change, however large, if any waits. `through` is what Collected said at first: changes
    saved after the sync began may ride along, but the sync does not wait for them.
    """

    changes_max: int
    bytes_max: int
    through: int | None


class Exchange(msgspec.Struct, frozen=True):
    """Send `body` to POST /v1/sync, signed; report Received with what came back whole, else Broken."""

    body: bytes


class Apply(msgspec.Struct, frozen=True):
    """Apply the answer in one local transaction; report Applied. `sent`: the request's ids, in order."""

    answer: SyncAnswer
    sent: tuple[str, ...]


class Wait(msgspec.Struct, frozen=True):
    """Sleep; report Waited."""

    seconds: float
    reason: str


class Finish(msgspec.Struct, frozen=True):
    """The end. With `failure` the driver raises, else it returns the report.

    `failure` is a code: offline, not_enrolled, revoked_device, unsupported_protocol, or the server's own
    for a request that it refuses; `reason` says what happened.
    """

    report: SyncReport
    failure: str | None = None
    reason: str = ""


Action = Collect | Exchange | Apply | Wait | Finish


# Events: what has happened.


class Collected(msgspec.Struct, frozen=True):
    """What the device says in its next request."""

    nonce: str
    """Random, of at least 128 bits: only an answer that repeats it answers this request."""
    server: str
    """The identity of the server that enrolled the device, without its epoch."""
    epoch: str
    now: int
    lowest: int
    queued: int
    """All changes that wait, those included that were saved after the sync began."""
    left: int
    """The changes that this sync is for and that still wait."""
    left_bytes: int
    through: int
    """The place of the last change in the queue; handed back with the next Collect."""
    cursor: str | None
    profile: str | None
    ids: tuple[str, ...] = ()
    changes: tuple[msgspec.Raw, ...] = ()
    client: str = ""
    numbers: dict[str, Claim] = {}
    """Record to the registration number that a change of the batch brought it before, with its proof."""
    offer: KeyOffer | None = None
    """A key that the server has not yet said it has taken."""


class Received(msgspec.Struct, frozen=True):
    """A response with its whole body, decompressed. Sizes as they travelled; `random` in [0, 1)."""

    status: int
    content_type: str
    body: bytes
    bytes_up: int
    bytes_down: int
    random: float
    retry_after_s: float | None = None


class Broken(msgspec.Struct, frozen=True):
    """No response, or not all of it."""

    reason: str
    random: float
    bytes_up: int = 0
    bytes_down: int = 0
    retry_after_s: float | None = None


class Applied(msgspec.Struct, frozen=True):
    """What an answer did to the store."""

    left: int
    """As in Collected, after the verdicts and after what the answer put into the queue again."""
    received: int = 0
    removed: int = 0
    changed: tuple[str, ...] = ()
    """Records whose base changed or went."""
    reread: tuple[str, ...] = ()
    """Grids whose digest differs from the server's."""


class Waited(msgspec.Struct, frozen=True):
    """The pause is over."""


Event = Collected | Received | Broken | Applied | Waited
