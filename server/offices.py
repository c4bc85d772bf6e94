"""The offices where people work: a township by 9 digits, and a county, which is one of its own sort, by 6. Pure."""

from typing import Final

COUNTY_ROLES: Final = frozenset({"county_handler", "county_observer"})
"""Roles of a county's people; every other person belongs to a township."""
_COUNTY_DIGITS: Final = 6
_DIGITS: Final = (_COUNTY_DIGITS, 9)


def is_office(code: str) -> bool:
    """Whether a code has the form of a township's or a county's."""
    return len(code) in _DIGITS and code.isascii() and code.isdecimal()


def is_county(code: str) -> bool:
    """Whether an office's code is that of a county."""
    return is_office(code) and len(code) == _COUNTY_DIGITS


def county_of(township: str) -> str:
    """The code of the county in which a township lies."""
    return township[:_COUNTY_DIGITS]
