"""Honest time: what a device's clock says, what the server makes of it, and how sure it is.

A change says what the device's clock showed at the save, the server's time at the device's last contact
before it (the mark), and what the clock counted from there to the save. A request says what the clock shows
now. So there are two estimates of when a change was saved, and neither needs the server's memory:

    forward    from the contact on: the mark and what was counted since
    backward   from receipt back: what the clock showed at the save, by the offset that it has now

A clock that was set, or ran badly, before the save is wrong in the first one alone, after the save in the
second one alone; so their distance tells of it, whenever it happened. It does not tell of what cancels out:
set after the contact, and set back after the save by as much. The answer's way back makes forward too early,
the request's way makes backward too late: of a clock that runs true the truth lies between the two, however
long the ways were, and so it is of a clock that only loses, or only gains, when a way takes up to LINK_MS.

All times are integers in milliseconds since 1970 UTC. Any reading is accepted, however wrong.
"""

from typing import Final

import msgspec

LINK_MS: Final = 2_000
"""What one way over a slow link may add to a reading, so an estimate is never surer than this."""


class Reading(msgspec.Struct, frozen=True):
    """The device's clock against the server's at one contact."""

    device_ms: int
    server_ms: int

    @property
    def offset_ms(self) -> int:
        """How far the server's clock is ahead of the device's."""
        return self.server_ms - self.device_ms


class Corrected(msgspec.Struct, frozen=True):
    """The server's estimate of when a change was saved."""

    stamp_ms: int
    uncertainty_ms: int


def correct(
    at_ms: int, mark_ms: int, since_ms: int | None, reading: Reading, seen_stamp_ms: int = 0
) -> Corrected:
    """When a change was saved, by the server's clock.

    `mark_ms` is the server's time at the device's last contact before the save (0: never), `since_ms` what the
    device's clock counted from there (None: not known), `seen_stamp_ms` the greatest stamp among the own unsent
    values it was made on: a later thought never gets an earlier stamp. Values of others that the author saw came
    at a contact, and are not younger than it: the mark covers them.

    The stamp lies between the mark and receipt, which no clock can falsify. It is backward where that lies there:
    who has a network sends soon, so a clock had mostly less time to err after the save than before it; and in a
    store that was copied to another machine the contact is by another clock. Where only forward lies there, the
    clock went wrong after the save, as when a network puts a clock of 1970 right just before the upload.
    """
    latest = reading.server_ms
    earliest = min(max(mark_ms, 0), latest)
    backward = at_ms + reading.offset_ms
    forward = backward if since_ms is None else mark_ms + since_ms
    estimate = next((one for one in (backward, forward) if earliest <= one <= latest), backward)
    clamped = min(max(estimate, earliest), latest)
    stamp = max(clamped, seen_stamp_ms + 1)
    possible = max(stamp, latest) - earliest
    if since_ms is None:
        return Corrected(stamp, possible)
    uncertainty = LINK_MS + abs(forward - backward) + abs(estimate - clamped) + (stamp - clamped)
    return Corrected(stamp, min(uncertainty, possible))
