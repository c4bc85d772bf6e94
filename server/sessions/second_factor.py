"""The second factor: codes of an authenticator (RFC 6238), and recovery codes for when the telephone is gone. Pure."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import segno
from pyotp import TOTP
from pyotp.utils import strings_equal

MANDATORY: Final = frozenset({"administrator"})
"""Roles that do not sign in without one."""
RECOVERY_CODES: Final = 10
_SECRET_BYTES: Final = 20
_RECOVERY_BYTES: Final = 10
_STEP_S: Final = 30
_DRIFT_STEPS: Final = 1
_CHARS_MAX: Final = 60


def new_secret(random: Callable[[int], bytes]) -> str:
    """160 random bits in Base32, as authenticators take them."""
    return base64.b32encode(random(_SECRET_BYTES)).decode()


def uri(secret: str, name: str, township: str) -> str:
    """What a telephone scans, as otpauth://."""
    return TOTP(secret).provisioning_uri(name=f"{name} {township}", issuer_name="Roundbook")


def picture(uri: str) -> str:
    """The same as a QR code, in SVG, as a data: URI."""
    return segno.make_qr(uri).svg_data_uri(border=2)


def step_of(code: str, secret: str, after_step: int, now_ms: int) -> int | None:
    """The step of 30 seconds whose code this is; None for a wrong one, and for one that was used already.

    A telephone's clock may be a step off either way.
    """
    plain = _plain(code)
    present = now_ms // 1_000 // _STEP_S
    for step in range(present - _DRIFT_STEPS, present + _DRIFT_STEPS + 1):
        if step > after_step and strings_equal(plain, TOTP(secret).at(step * _STEP_S)):
            return step
    return None


def new_recovery(random: Callable[[int], bytes]) -> list[str]:
    """Codes to be kept on paper, each of 80 random bits and good for once."""
    codes = [base64.b32encode(random(_RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def recovery_hash(code: str) -> str:
    """What is stored of a recovery code; spaces, hyphens and case do not count."""
    return hashlib.sha256(_plain(code).encode()).hexdigest()


def without(code: str, kept: Sequence[str]) -> list[str] | None:
    """The hashes that are left after this recovery code was used; None when it is none of them."""
    used = recovery_hash(code)
    return [one for one in kept if one != used] if used in kept else None


def _plain(code: str) -> str:
    return "".join(c for c in code[:_CHARS_MAX].upper() if c.isalnum() and c.isascii())
