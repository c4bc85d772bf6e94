"""The server's certificate: whether it can be served with, and what an operator has to know of it beforehand.

Looked at with the same eyes by `roundbook serve`, which refuses to start with what cannot work, and by
`roundbook doctor`, which says what soon will not.
"""

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from server.doctor import Check, State
from server.refused import RefusedError
from server.settings import Settings

NOTE_DAYS: Final = 30
_DAY_S: Final = 86_400
_OTHERS: Final = 0o077
_RENEW: Final = "renew it, put the new file in its place, and restart the server"


def require_pair(settings: Settings) -> x509.Certificate | None:
    """The server's own certificate, None without TLS; raises RefusedError for what cannot be served with."""
    if not settings.certificate:
        return None
    try:
        own = x509.load_pem_x509_certificates(_content(settings.certificate))[0]
    except ValueError as error:
        message = f"{settings.certificate} holds no certificate: it begins with -----BEGIN CERTIFICATE-----."
        raise RefusedError(message) from error
    try:
        key = serialization.load_pem_private_key(_content(settings.certificate_key), password=None)
    except TypeError as error:
        # Nobody could type a passphrase each time that a worker process is started again.
        message = (
            f"{settings.certificate_key} is encrypted: write it without a passphrase, for its owner only."
        )
        raise RefusedError(message) from error
    except ValueError as error:
        message = (
            f"{settings.certificate_key} holds no private key: it begins with -----BEGIN PRIVATE KEY-----."
        )
        raise RefusedError(message) from error
    if key.public_key() != own.public_key():
        message = (
            f"{settings.certificate_key} is not the key of {settings.certificate}: "
            "name the pair that belongs together, with the server's own certificate first in its file."
        )
        raise RefusedError(message)
    return own


def look_at_certificate(settings: Settings, now_ms: int) -> list[Check]:
    """What doctor says of it; nothing without TLS."""
    try:
        own = require_pair(settings)
    except RefusedError as error:
        what, _, do = str(error).partition(": ")
        return [Check("certificate", "bad", what, do.rstrip("."))]
    if own is None:
        return []
    checks = [Check("certificate", *_dates(own, now_ms // 1000))]
    if Path(settings.certificate_key).stat().st_mode & _OTHERS:
        do = f"chmod 600 {settings.certificate_key}"
        checks.append(Check("key", "note", "other users of this machine may read the certificate's key", do))
    return checks


def _dates(own: x509.Certificate, now_s: int) -> tuple[State, str, str]:
    begins, ends = (int(day.timestamp()) for day in (own.not_valid_before_utc, own.not_valid_after_utc))
    day = own.not_valid_after_utc.date().isoformat()
    if now_s < begins:
        return "bad", f"is not valid before {own.not_valid_before_utc.date().isoformat()}", "see the clock"
    if now_s >= ends:
        return "bad", f"has expired on {day}", _RENEW
    days = (ends - now_s) // _DAY_S
    if days < NOTE_DAYS:
        return "note", f"expires in {days} {'day' if days == 1 else 'days'}, on {day}", _RENEW
    return "well", f"fits its key, and is valid until {day}", ""


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        message = f"{file} cannot be read ({reason}): name the certificate's files by their right paths."
        raise RefusedError(message) from error
