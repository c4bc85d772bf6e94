"""A one-time code as a QR code: what it says (sync_protocol/invitation.py), and how it is shown or saved."""

from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Final

import segno
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from server.files import read_file
from server.refused import RefusedError
from sync_protocol.invitation import Invitation, plain

FORMATS: Final = (".svg", ".png")
_SCALE: Final = 8
"""Pixels, or units of the SVG, of one square of the code: large enough for an old phone's camera."""


def invitation(url: str, code: str, authority: Path | None) -> Invitation:
    """What the QR code says; raises RefusedError for an address or a certificate that it cannot carry."""
    if not plain(url) or len(url.split()) != 1:
        message = (
            f"The QR code carries a server's address such as https://roundbook.example, got {url[:60]!r}."
        )
        raise RefusedError(message)
    if authority is None:
        return Invitation(url, code)
    if not url.lower().startswith("https://"):
        message = "An authority vouches for https:// only: write the server's address so, or leave --ca away."
        raise RefusedError(message)
    return Invitation(url, code, _fingerprint(authority))


def shown(what: Invitation) -> str:
    """The QR code in characters, for a terminal."""
    drawn = StringIO()
    segno.make_qr(what.text).terminal(drawn, compact=True)
    return drawn.getvalue()


def require_format(file: Path) -> None:
    """Raises RefusedError for a file that is no picture of a sort that is written here."""
    if file.suffix.lower() not in FORMATS:
        message = f"The QR code is saved as {' or '.join(FORMATS)}, not as {file.name!r}."
        raise RefusedError(message)


def save(what: Invitation, file: Path) -> None:
    """Writes the QR code as SVG or PNG, by the file's ending; raises RefusedError."""
    try:
        with file.open("wb") as opened:
            segno.make_qr(what.text).save(opened, kind=file.suffix.lower()[1:], scale=_SCALE)
    except OSError as error:
        message = f"{file} could not be written ({error.strerror}): name another; the code above is valid."
        raise RefusedError(message) from error


def _fingerprint(authority: Path) -> bytes:
    """SHA-256 of the certificate in a file, which has to be an authority's."""
    try:
        found = x509.load_pem_x509_certificates(read_file(authority))[0]
        if found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return sha256(found.public_bytes(Encoding.DER)).digest()
    except (ValueError, x509.ExtensionNotFound):
        pass
    message = (
        f"{authority} holds no certificate of an authority in PEM: name that which issued the server's own."
    )
    raise RefusedError(message)
