"""What a form of the case file sent, beside what belongs to the form itself: on which version it was filled in."""

from typing import Final, TypeAlias

from server.console.page import Asked
from server.records.writing import Target

SEEN: Final = "seen"
KEY: Final = "key"
_VERSION_DIGITS_MAX: Final = 18
Sent: TypeAlias = dict[str, list[str]]


async def sent(request: Asked) -> Sent:
    """Every text of a form, by name. A file in the place of a text counts as nothing."""
    form = await request.form()
    return {name: [one for one in form.getall(name) if isinstance(one, str)] for name in form}


def target(record: str, given: Sent) -> Target:
    """The record as its form showed it, with the key by which a second click is the same change."""
    seen, key = given.get(SEEN, [""])[-1], given.get(KEY, [""])[-1]
    known = seen.isascii() and seen.isdigit() and len(seen) <= _VERSION_DIGITS_MAX
    return Target(record, int(seen) if known else None, key or None)


def first(given: Sent, name: str) -> str:
    """The first text of a name; nothing where there is none."""
    return next(iter(given.get(name, ())), "").strip()
