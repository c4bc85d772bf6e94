"""What a QR code says to a device that is to be enrolled: where the server is, the one-time code, whom to believe.

    ROUNDBOOK1 https://roundbook.example ABCD-EFGH sha256:kpoU_vUpPMrYNWRxWgyJ9XB9cXGJ0DGcVcUVfcTxTSg

Words with spaces between them: which form this is, the server's address, the code, and, where the server is
vouched for by an authority of its own, the SHA-256 of that authority's certificate (DER) in base64url. It is
no address that something could open: the code would stand in the logs of whatever it passes. Words that a
later version adds behind these are left alone.
"""

from typing import Final

import msgspec

from sync_protocol.signing import decode_bytes, encode_bytes

FORM: Final = "ROUNDBOOK1"
_FORMS: Final = "ROUNDBOOK"
_DIGEST: Final = "sha256:"
_DIGEST_BYTES: Final = 32
CHARS_MAX: Final = 1_000


class NoInvitation(ValueError):  # noqa: N818 (it is the text that is none)
    """The text is no invitation that this version can read."""


class Invitation(msgspec.Struct, frozen=True):
    """A one-time code, with what else a device has to know to use it."""

    url: str
    """The server's address: scheme, host, and port where it has one."""
    code: str
    authority: bytes | None = None
    """SHA-256 of the certificate of the one authority to believe; None for those of the system."""

    @property
    def text(self) -> str:
        """The text of the QR code."""
        words = [FORM, self.url, self.code]
        return " ".join(words if self.authority is None else [*words, _DIGEST + encode_bytes(self.authority)])


def begins(text: str) -> bool:
    """Whether a text means to be an invitation, of this version or another."""
    return text.strip().upper().startswith(_FORMS)


def read(text: str) -> Invitation:
    """The invitation that a text is; raises NoInvitation."""
    words = text.split() if len(text) <= CHARS_MAX else []
    if len(words) < 3 or words[0].upper() != FORM:  # noqa: PLR2004 (form, address, code)
        message = f"an invitation reads: {FORM} ADDRESS CODE"
        raise NoInvitation(message)
    _, url, code, *more = words
    if not plain(url):
        message = "the address of an invitation is that of a server alone, such as https://roundbook.example"
        raise NoInvitation(message)
    digests = [word for word in more if word.startswith(_DIGEST)]
    return Invitation(url, code, _digest(digests[0]) if digests else None)


def plain(url: str) -> bool:
    """Whether an address is one of a server alone: HTTP, without a name, a query or a fragment in it."""
    scheme, _, rest = url.partition("://")
    return scheme.lower() in {"http", "https"} and bool(rest) and not set("?#@") & set(rest)


def _digest(word: str) -> bytes:
    try:
        found = decode_bytes(word.removeprefix(_DIGEST))
    except ValueError:
        found = b""
    if len(found) != _DIGEST_BYTES:
        message = f"the authority of an invitation is written {_DIGEST}, with 32 bytes in base64url"
        raise NoInvitation(message)
    return found
