"""Registration numbers: how they are written, and how a device proves one that its server has forgotten.

A server that was restored from a backup has forgotten the numbers that it gave afterwards, and citizens hold
slips with them. So with each number the verdict brings a proof: a code over record and number, made with the
township's own key, which the backup holds too. A device keeps it, and shows it when it offers the change
again. It cannot make one: neither for another number, nor for another record, nor for somebody else's.
"""

import base64
import hashlib
import hmac
import re
from typing import Final

import msgspec

_PROOF_BYTES: Final = 12
_NUMBER: Final = re.compile(r"([0-9]{9})-([0-9]{4})-([0-9]{5,9})")


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """A number that a record had, and the proof that came with it."""

    number: str
    proof: str


class Registered(msgspec.Struct, frozen=True):
    """A registration number in its parts."""

    year: int
    serial: int


def written(township: str, registered: Registered) -> str:
    """The number as people read it, such as 321283104-2026-00001."""
    return f"{township}-{registered.year}-{registered.serial:05}"


def read(number: str) -> Registered:
    """The parts of a number that `written` gave; raises ValueError for anything else."""
    _, year, serial = number.split("-")
    return Registered(int(year), int(serial))


def proof(key: bytes, record: str, number: str) -> str:
    """The proof that a record was given a number: 96 bits of HMAC-SHA-256, URL-safe."""
    text = f"roundbook number\0{record}\0{number}".encode()
    return base64.urlsafe_b64encode(hmac.digest(key, text, hashlib.sha256)[:_PROOF_BYTES]).decode()


def proven(key: bytes, township: str, record: str, claim: Claim) -> Registered | None:
    """The number that this township gave to this record; None for a claim that it never made."""
    expected = proof(key, record, claim.number)
    if not hmac.compare_digest(expected.encode(), claim.proof.encode("utf-8", "surrogatepass")):
        return None
    found = _NUMBER.fullmatch(claim.number)
    if found is None or found[1] != township:
        return None
    return Registered(int(found[2]), int(found[3]))
