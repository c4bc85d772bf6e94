"""Which server a device believes: the system's authorities, or one that was pinned.

A pinned authority is the only one that counts. Its chain, signatures, purposes and names are checked by
OpenSSL as always; only the dates are read here, because OpenSSL reads them by a clock that cannot be handed
in. Without a pinned authority, OpenSSL checks everything by the system's clock.

Why dates of a pinned authority are not simply read by the phone's clock, and what that costs, stands in
docs/decisions/certificates-and-wrong-clocks.md.
"""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography import x509

from sync_protocol.errors import Refused

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL; the ssl module has no name for it."""
_EXPIRED, _NOT_YET = 10, 9
_REASONS: Final = {_NOT_YET: "certificate_not_yet_valid", _EXPIRED: "certificate_expired"}
_WRONG_NAMES: Final = frozenset({62, 63, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and its kin of mail and address."""
_ADVICE: Final = {
    "certificate_untrusted": (
        "服务器的证书不是可信机构签发的：可能连错了网络，或需要镇里的证书文件（--ca）",
        "the server's certificate is of no authority trusted here: is this the right network? is --ca missing?",
    ),
    "certificate_wrong_name": (
        "服务器的证书不是这个地址的：请核对服务器地址",
        "the server's certificate is for another address: check the server's address",
    ),
    "certificate_expired": (
        "服务器的证书已过期，或本机时间不对：请先核对手机的日期，日期没错就请告诉镇里",
        "the server's certificate has expired, or this device's clock is wrong: check its date, then tell the township",
    ),
    "certificate_not_yet_valid": (
        "服务器的证书还没有生效，多半是本机时间不对：请把手机的日期调对再试",
        "the server's certificate is not valid yet, so this device's clock is probably wrong: set its date, try again",
    ),
    "not_https": (
        "已指定证书机构，服务器地址必须以 https:// 开头",
        "an authority is pinned, so the server's address has to begin with https://",
    ),
    "https_required": (
        "服务器只接受加密连接：地址以 https:// 开头",
        "the server answers encrypted connections only: its address begins with https://",
    ),
}


class Address(msgspec.Struct, frozen=True):
    """Where a server is, and who vouches for it: an authority in PEM, None for those of the system."""

    url: str
    authority: str | None = None


def address(url: str, ca: str | Path | None) -> Address:
    """An address, with the authority of a PEM file; raises Refused where the two do not go together."""
    return vouched(url, None if ca is None else read_authority(ca))


def vouched(url: str, authority: str | None) -> Address:
    """The same, with the authority's content; raises Refused for an address that it cannot vouch for."""
    if authority is not None and not url.lower().startswith("https://"):
        zh, en = _ADVICE["not_https"]
        raise Refused("not_https", f"{zh} / {en}")
    return Address(url, authority)


def read_authority(file: str | Path) -> str:
    """The certificates of a PEM file, as one text; raises Refused for a file that holds none."""
    try:
        content = Path(file).read_text(encoding="ascii")
        found = x509.load_pem_x509_certificates(content.encode())
    except (OSError, ValueError) as error:
        message = (
            "证书文件读不了，要 PEM 格式的机构证书 / this is no certificate of an authority in PEM, "
            f"which begins with -----BEGIN CERTIFICATE-----: {file}"
        )
        raise Refused("bad_authority", message) from error
    if not all(_is_authority(one) for one in found):
        message = (
            "这是服务器自己的证书，要签发它的机构的证书 / this is a server's own certificate: name that of the "
            f"authority which issued it: {file}"
        )
        raise Refused("bad_authority", message)
    return content


def pinned(authority: str, now_ms: Callable[[int], int] | None = None) -> ssl.SSLContext:
    """A context that trusts this authority alone.

    `now_ms` gives the time by which the end of a certificate is read, from the authority's own beginning; without
    it the system's clock counts, and the beginning is looked at too.
    """
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if now_ms is not None:
        begins = min(one.not_valid_before_utc for one in x509.load_pem_x509_certificates(authority.encode()))
        context.verify_flags |= _NO_CHECK_TIME
        context.sslsocket_class = _dated(ssl.SSLSocket, now_ms, _ms(begins))
        context.sslobject_class = _dated(ssl.SSLObject, now_ms, _ms(begins))
    return context


def township_time_ms(clock_ms: int, contact: tuple[int, int] | None, begins_ms: int) -> int:
    """The earliest that it can be, in milliseconds: what a wrong clock says is bounded by what is known.

    `contact` is the server's and the device's clock when they last met. The clock may have been set right or
    wrong since, so the earlier of both readings counts, and never less than the last contact.
    """
    if contact is None:
        return max(clock_ms, begins_ms)
    server_ms, device_ms = contact
    return max(server_ms, min(clock_ms, clock_ms + server_ms - device_ms))


def reason_of(error: BaseException) -> str | None:
    """What was wrong with the server's certificate, in a word; None when something else broke."""
    for one in _causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            if one.verify_code in _WRONG_NAMES:
                return "certificate_wrong_name"
            return _REASONS.get(one.verify_code, "certificate_untrusted")
    return None


def advice(reason: str) -> tuple[str, str] | None:
    """What is wrong and the next step, in Chinese and English, where a reason is one of these."""
    return _ADVICE.get(reason)


def _dated(above: Any, now_ms: Callable[[int], int], begins_ms: int) -> Any:
    """The socket of a connection that reads the end of the certificate once the handshake has proven it."""

    class Dated(above):  # type: ignore[misc] # its base is one of two, alike in this
        def do_handshake(self, *given: Any, **named: Any) -> None:
            super().do_handshake(*given, **named)
            own = x509.load_der_x509_certificate(self.getpeercert(binary_form=True))
            if now_ms(begins_ms) >= _ms(own.not_valid_after_utc):
                expired = ssl.SSLCertVerificationError(1, "certificate has expired")
                expired.verify_code = _EXPIRED
                raise expired

    return Dated


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1000


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
