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
by the device's clock then and by the server's, the shorter counts. What no rule of this kind can stop is a clock
that is turned back before the lease ends, every time; it costs its owner the use of a clock, and is no lock-out.
"""

from typing import Final, Literal

import msgspec

DAY_MS: Final = 86_400_000
State = Literal["open", "locked", "over"]


class Watch(msgspec.Struct, frozen=True):
    """What was seen of the clock since the last contact, in milliseconds after it."""

    longest_ms: int = 0
    first_ms: int | None = None
    """The first day on which the lease was found to have ended, as long as no reading has spoken against it."""


def since_contact_ms(now_ms: int, server_ms: int, device_ms: int) -> int:
    """How long ago the last contact was, at least. `server_ms` and `device_ms` are both clocks at that contact."""
    return min((ago for ago in (now_ms - device_ms, now_ms - server_ms) if ago >= 0), default=0)


def look(watch: Watch, ago_ms: int, days: int) -> tuple[State, Watch]:
    """Whether a store may be opened `ago_ms` after the last contact, and what to remember. No `days`: always."""
    length_ms = days * DAY_MS
    longest = max(watch.longest_ms, ago_ms)
    if not days or longest <= length_ms:
        return "open", Watch(longest)
    if ago_ms <= length_ms:
        return "locked", Watch(longest)
    first = watch.first_ms
    if first is None or not first <= ago_ms <= first + length_ms:
        return "locked", Watch(longest, ago_ms)
    return ("over" if ago_ms - first >= DAY_MS else "locked"), Watch(longest, first)
