"""Telephone numbers as they are written, brought into one form, so that equal ones are equal. Pure.

Only numbers are looked for in what is of contact class, never names: there is no search by a person.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from server.vault.sealing import Contact, mentions

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder().decode
DIGITS_MIN, DIGITS_MAX = 7, 15
_RUN: Final = re.compile(r"\+?\d(?:[\s()-]*\d)+")
_NO_DIGIT: Final = re.compile(r"\D")
_ABROAD: Final = re.compile(r"(?:00)?86(?=1\d{10}$)")


def telephones(text: str) -> frozenset[str]:
    """The numbers of 7 to 15 digits in a text, digits only; a mobile number of China without its country code.

    +86 138-0013 8000 and 13800138000 are one.
    """
    runs = (_ABROAD.sub("", _NO_DIGIT.sub("", run)) for run in _RUN.findall(text))
    return frozenset(run for run in runs if DIGITS_MIN <= len(run) <= DIGITS_MAX)


def of_values(values: Iterable[bytes]) -> frozenset[str]:
    """The numbers among values of contact class, each as JSON."""
    texts = [_decode(value) for value in values if len(value) >= DIGITS_MIN]
    return frozenset().union(*[telephones(text) for text in texts if isinstance(text, str)])


def of_record(body: bytes, contact: Contact) -> frozenset[str]:
    """The numbers among the contact of a record's values."""
    if not mentions(body, contact):
        return frozenset()
    texts = _texts(_object(body), contact)
    long_enough = [text for text in texts if isinstance(text, str) and len(text) >= DIGITS_MIN]
    return frozenset().union(*map(telephones, long_enough))


def _texts(values: dict[str, msgspec.Raw], contact: Contact) -> Iterator[Any]:
    yield from (_decode(values[name]) for name in contact.fields & values.keys())
    for name, subs in contact.subs.items():
        for entry in (_decode(values[name]) or {}).values() if name in values else ():
            yield from (entry[sub] for sub in subs & entry.keys())
