"""Who asks, and how far they reach. Pure values: services hand them to storage, whose statements take them.

What lies outside a reach does not exist for the caller: it is never read, so its answer cannot differ from
that of an id that nobody has.
"""

import unicodedata

import msgspec

from sync_protocol.ids import township_of


class Reach(msgspec.Struct, frozen=True):
    """The records that somebody may see. What is None does not limit."""

    townships: tuple[str, ...]
    places: tuple[str, ...] | None = None
    """Villages (12 digits, their grids included) and grids (15)."""
    unit: str | None = None
    """Only what was assigned to this unit."""
    leader: str | None = None
    """Only what this person has taken on, what waits for a leader's word on an extension, and what they gave one on."""
    state: str | None = None
    """Only records in this state of their workflow."""
    restricted: bool = False
    """Whether restricted records are among them: only for people who are named for them."""

    def covers(self, place: str) -> bool:
        """Whether a new record may lie at a place, or an old one be moved there."""
        inside = self.places is None or any(place.startswith(own) for own in self.places)
        return inside and township_of(place) in self.townships


class Caller(msgspec.Struct, frozen=True):
    """A person or an application that is about to do one thing, with what they may do meanwhile."""

    id: str
    name: str
    role: str
    """A role of the declaration of kinds; `application` is one of them."""
    reach: Reach
    scopes: frozenset[str]
    """The scopes of a token; of a person those that its role has: whether contact is read or written."""

    @property
    def townships(self) -> tuple[str, ...]:
        """The townships that are looked into, in order."""
        return self.reach.townships


def unit_name(given: str) -> str:
    """A unit's name as it is kept, so that a handler and what is assigned to them meet; "" for what is none."""
    plain = unicodedata.normalize("NFC", " ".join(given.split()))
    return plain if plain.isprintable() else ""
