"""Honest time: what a device's clock says, what the server makes of it, and how sure it is.

A device sends its clock's reading with every request; the server sets it against its own and has the
device's offset at that moment. A change saved hours earlier is corrected with the offset at its arrival.
Where the clock was set in between, the correction is wrong; so it is kept between two times that no clock
can falsify: the server's time at the device's last contact before the save (the mark), and receipt. The
uncertainty is how far the truth may lie off, and never more than the distance between those two.

All times are integers in milliseconds since 1970 UTC. Any reading is accepted, however wrong.
"""

from typing import Final

import msgspec

LINK_MS: Final = 2_000
"""What one way over a slow link may add to a reading, so an offset is never surer than this."""


class Reading(msgspec.Struct, frozen=True):
    """The device's clock against the server's at one contact."""

    device_ms: int
    server_ms: int
    offset_before_ms: int | None = None
    """The offset at the contact before, if there was one."""

    @property
    def offset_ms(self) -> int:
        """How far the server's clock is ahead of the device's."""
        return self.server_ms - self.device_ms

    @property
    def drift_ms(self) -> int:
        """How far the offset has moved since the contact before: a clock that was set, or runs badly."""
        return 0 if self.offset_before_ms is None else abs(self.offset_ms - self.offset_before_ms)


class Corrected(msgspec.Struct, frozen=True):
    """The server's estimate of when a change was saved."""

    stamp_ms: int
    uncertainty_ms: int


def correct(at_ms: int, mark_ms: int, reading: Reading, seen_stamp_ms: int = 0) -> Corrected:
    """When a change was saved, by the server's clock.

    `mark_ms` is the server's time at the device's last contact before the save (0: never), `seen_stamp_ms`
    the greatest stamp among the own unsent values it was made on: a later thought never gets an earlier stamp.
    Values of others that the author saw came at a contact, and are not younger than it: the mark covers them.
    """
    latest = reading.server_ms
    earliest = min(max(mark_ms, 0), latest)
    estimate = at_ms + reading.offset_ms
    clamped = min(max(estimate, earliest), latest)
    stamp = max(clamped, seen_stamp_ms + 1)
    uncertainty = LINK_MS + reading.drift_ms + abs(estimate - clamped)
    return Corrected(stamp, max(min(uncertainty, latest - earliest), stamp - clamped))
