"""Enrolment by the text of a QR code: the address, the code, and the authority that its fingerprint names.

An authority is named by its fingerprint only, because a QR code is small. Where no file brings it (`ca`), the
server is asked to show its certificates, over a connection that is believed nothing and told nothing. The one
whose fingerprint is in the QR code becomes the pinned authority; the code travels over another connection,
which that authority vouches for.
"""

import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from client_sdk.syncing import failure
from client_sdk.transport import CONNECT_S
from client_sdk.trust import Address, address, vouched
from sync_protocol import invitation
from sync_protocol.errors import Refused
from sync_protocol.invitation import NoInvitation

_HTTPS_PORT: Final = 443
_DER: Final = 2
"""ENCODING_DER of the module that ssl stands on, which has no public name before Python 3.13."""


def place_and_code(url: str, code: str | None, ca: str | Path | None) -> tuple[Address, str]:
    """Where to enrol, and with which code: from an address and a code, or from the text of a QR code.

    Raises Refused for a text that is none or whose authority cannot be had, Offline when nobody answers there.
    """
    if code is not None:
        return address(url, ca), code
    try:
        invited = invitation.read(url)
    except NoInvitation as error:
        message = (
            f"二维码内容不完整，请重新扫描，或输入设备码 / scan the QR code again, or give --code: {error}"
        )
        raise Refused("no_invitation", message) from error
    if invited.authority is None:
        return address(invited.url, ca), invited.code
    if ca is not None:
        named = address(invited.url, ca)
        _require(_fingerprints(named.authority or ""), invited.authority)
        return named, invited.code
    return vouched(invited.url, _shown(invited.url, invited.authority)), invited.code


def _shown(url: str, wanted: bytes) -> str:
    """The certificate of the authority, in PEM, from among those that the server shows."""
    vouched(url, "")  # an authority vouches for nothing over plain HTTP
    shown = _certificates(url)
    _require([hashlib.sha256(one).digest() for one in shown], wanted)
    der = next(one for one in shown if hashlib.sha256(one).digest() == wanted)
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def _require(found: list[bytes], wanted: bytes) -> None:
    if wanted not in found:
        message = (
            "没有找到二维码所指的证书：可能连错了网络，或需要镇里的证书文件（--ca） / no certificate here has the "
            "fingerprint of the QR code: is this the right network? else give the authority's file (--ca)"
        )
        raise Refused("certificate_untrusted", message)


def _fingerprints(pem: str) -> list[bytes]:
    found = x509.load_pem_x509_certificates(pem.encode())
    return [hashlib.sha256(one.public_bytes(Encoding.DER)).digest() for one in found]


def _certificates(url: str) -> list[bytes]:
    """What a server shows, in DER, believed by nobody yet."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        place = (parts.hostname or "", parts.port or _HTTPS_PORT)
        with (
            socket.create_connection(place, CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as connection,
        ):
            return _chain(connection)
    except (OSError, ValueError) as error:
        raise failure("offline", "no_connection") from error


def _chain(connection: Any) -> list[bytes]:
    public = getattr(connection, "get_unverified_chain", None)
    if public is not None:
        return list(public() or ())
    return [one.public_bytes(_DER) for one in connection._sslobj.get_unverified_chain() or ()]  # noqa: SLF001 (public from Python 3.13 on)
