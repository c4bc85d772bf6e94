"""How long a store stays open to its worker without a contact with the server, whatever a clock says. Pure.

A township declares a number of days. A contact begins them anew; what the clock showed since then is all that a
device without a network knows of time. So two things are told apart, because one can be undone and the other not:

    open     the lease runs
    locked   the clock has, at some time, shown more than those days: the store waits for a contact, which opens it
    over     it has shown so on two days that fit together: what the passphrase opens is destroyed, and only the
             township can open the store

A clock that was put forward and back again has locked the store, and no more: the reading after it is earlier, and
takes the first day back. A clock that was turned back does not unlock: the longest time counts. One that was wrong
before the contact and was put right after it changes nothing: of the two readings of how long ago the contact was,
by the device's clock then and by the server's, the shorter counts. As long as a machine runs it also counts its own
time, which nobody sets; a contact, or a look that found the store open, in the same run makes every clock on the
wall irrelevant. What no rule of this kind can stop is a clock
that is turned back before the lease ends, every time; it costs its owner the use of a clock, and is no lock-out.
"""

from typing import Final, Literal

import msgspec

DAY_MS: Final = 86_400_000
State = Literal["open", "locked", "over"]


class Running(msgspec.Struct, frozen=True):
    """How long a machine has been running, asleep or not."""

    start: str
    """Which start of the machine that is counted from."""
    ms: int


class Watch(msgspec.Struct, frozen=True):
    """What was seen of the clock since the last contact, in milliseconds after it."""

    longest_ms: int = 0
    first_ms: int | None = None
    """The first day on which the lease was found to have ended, as long as no reading has spoken against it."""
    running: Running | None = None
    """When the store was last found open, or had its contact, by the machine's own time."""
    then_ms: int = 0
    """How long ago the contact was then."""


def met(running: Running | None) -> Watch:
    """What to remember of a contact."""
    return Watch(running=running)


def elapsed_ms(watch: Watch, running: Running | None, by_clock_ms: int) -> int:
    """How long ago the contact was: by the machine's own time where it has run since, else by its clock."""
    then = watch.running
    if running is None or then is None or then.start != running.start or running.ms < then.ms:
        return by_clock_ms
    return watch.then_ms + running.ms - then.ms


def since_contact_ms(now_ms: int, server_ms: int, device_ms: int) -> int:
    """How long ago the last contact was, at least. `server_ms` and `device_ms` are both clocks at that contact."""
    return min((ago for ago in (now_ms - device_ms, now_ms - server_ms) if ago >= 0), default=0)


def look(watch: Watch, ago_ms: int, days: int, running: Running | None = None) -> tuple[State, Watch]:
    """Whether a store may be opened `ago_ms` after the last contact, and what to remember. No `days`: always.

    The machine's own time is remembered of an open store only: counted on from a clock that has jumped, it would
    confirm the jump a day later.
    """
    length_ms = days * DAY_MS
    longest = max(watch.longest_ms, ago_ms)
    if not days or longest <= length_ms:
        return "open", Watch(longest, running=running, then_ms=longest)
    if ago_ms <= length_ms:
        return "locked", Watch(longest)
    first = watch.first_ms
    if first is None or not first <= ago_ms <= first + length_ms:
        return "locked", Watch(longest, ago_ms)
    return ("over" if ago_ms - first >= DAY_MS else "locked"), Watch(longest, first)
