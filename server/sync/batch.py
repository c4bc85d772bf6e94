"""What a push is about: what one request brings, what is under way, and what is left to be told."""

from dataclasses import dataclass, field

import msgspec

from server.storage.changes import Stored
from server.storage.townships import Township
from server.sync.draft import Draft
from server.sync.judge import Author
from server.sync.order import Ordered
from server.sync.timeline import Proof
from sync_protocol.changes import Change
from sync_protocol.clock import Corrected, Reading
from sync_protocol.codec import Unreadable
from sync_protocol.history import History
from sync_protocol.messages import Unanswered, Verdict
from sync_protocol.registration import Claim
from sync_protocol.state import RecordState


class Replay(msgspec.Struct, frozen=True):
    """A quarantined change is taken in again: it keeps its own id and time, its row gets another id."""

    key: str
    corrected: Corrected


class Upload(msgspec.Struct, frozen=True):
    """What one request brings. `epoch` and what follows it are a device's; the office has none."""

    author: Author
    changes: list[Change | Unreadable]
    reading: Reading
    epoch: str | None = None
    epochs: dict[str, int] = {}
    lowest: int = 0
    proof: Proof = Proof()
    """What the cursor proves of the timeline that it was given in."""
    numbers: dict[str, Claim] = {}
    """Record to a registration number that it had there."""
    known_only: bool = False
    """Whether only changes that came before are answered: the request may be a replayed one."""
    replay: Replay | None = None
    """Set when the one change of this upload was quarantined before."""


class Own(msgspec.Struct, frozen=True):
    """A record that only this request's changes have moved from version `before` (0: new), as they left it."""

    before: int
    state: RecordState
    changes: tuple[str, ...]


@dataclass(slots=True)
class Pushed:
    """What a push did, to be told once it is committed."""

    township: Township
    ordered: Ordered
    verdicts: list[Verdict] = field(default_factory=list)
    unanswered: list[Unanswered] = field(default_factory=list)
    own: dict[str, Own] = field(default_factory=dict)
    offer_above: int | None = None
    """Set when the device has seen another timeline: offer everything above again."""


@dataclass(slots=True)
class Batch:
    """One push under way. `head` is the last number given."""

    upload: Upload
    township: Township
    seen: dict[str, Stored]
    ordered: Ordered
    records: dict[str, RecordState]
    histories: dict[str, History]
    orphans: set[str]
    head: int
    before: dict[str, int] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    written: dict[str, list[Draft]] = field(default_factory=dict)

    def history(self, record: str) -> History:
        """What is known of the past of a record; an empty one to begin with."""
        history = self.histories.get(record)
        if history is None:
            history = self.histories[record] = History()
        return history

    def number(self) -> int:
        """The next number of the township."""
        self.head += 1
        return self.head
