"""A broken frame refuses the request, with its documented code, and leaves every table as it was."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zstandard

from client_sdk import Response
from sync_protocol import signing
from sync_protocol.limits import DEFAULTS
from tests.e2e.raw import PLAIN, SECRET, SYNC, RawDevice, code_of, refused, sound
from tests.e2e.village import GRID, OTHER_TOWN, TOWN, Village


@pytest.fixture
def device(village: Village) -> RawDevice:
    return RawDevice(village, "王芳")


def test_a_request_cut_at_any_byte_is_refused_whole(village: Village, device: RawDevice) -> None:
    whole = sound(device)
    before = village.rows()
    packed = {"zstd": zstandard.compress(whole), "gzip": gzip.compress(whole)}
    for length in range(len(whole)):
        refused(device.send(whole[:length]), 400, "malformed")
    for encoding, body in packed.items():
        for length in range(0, len(body), 5):
            response = device.send(body[:length], content_encoding=encoding)
            if response.status != 200:  # the last bytes of a stream say nothing but that it ends
                refused(response, 400, "malformed")
            else:
                assert length > len(body) - 12
                return
    assert village.rows() == before


FRAMES: dict[str, Callable[[RawDevice], bytes]] = {
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"<html>login</html>",
    "an array": lambda _: b"[]",
    "null": lambda _: b"null",
    "two documents": lambda d: sound(d) + sound(d),
    "bad UTF-8 in the nonce": lambda d: sound(d, nonce="@@").replace(b"@@", b"\xff\xfe"),
    "a lone surrogate in the nonce": lambda d: sound(d, nonce="@@").replace(b"@@", rb"\ud800"),
    "a NUL in the nonce": lambda d: sound(d, nonce="a\0b"),
    "an empty nonce": lambda d: sound(d, nonce=""),
    "a long nonce": lambda d: sound(d, nonce="x" * 201),
    "a long client": lambda d: sound(d, client="x" * 201),
    "a NUL in the client": lambda d: sound(d, client="\0"),
    "an epoch that is no UUID": lambda d: sound(d, epoch="1"),
    "an epoch in capitals": lambda d: sound(d, epoch=d.epoch.upper()),
    "now past 53 bits": lambda d: sound(d, now=2**53 + 1),
    "now past 64 bits": lambda d: sound(d, now="@").replace(b'"@"', b"9" * 30),
    "now with 5000 digits": lambda d: sound(d, now="@").replace(b'"@"', b"9" * 5_000),
    "now a fraction": lambda d: sound(d, now=1.5),
    "now a text": lambda d: sound(d, now="1"),
    "lowest far below": lambda d: sound(d, lowest=-(2**60)),
    "page_bytes past 64 bits": lambda d: sound(d, page_bytes="@").replace(b'"@"', b"9" * 25),
    "a cursor of another type": lambda d: sound(d, cursor=7),
    "a list for reread": lambda d: sound(d, reread=[[GRID]]),
    "changes no list": lambda d: msgspec.json.encode({**d.frame([]), "changes": {}}),
    "too many changes": lambda d: d.body(*[b"{}"] * (DEFAULTS.changes_max + 1)),
    "a frame nested too deeply": lambda d: sound(d, reread="@").replace(b'"@"', b"[" * 5_000 + b"]" * 5_000),
    "a text that never ends": lambda _: b'{"changes":["' + b'\\"' * 500_000 + b"}",
}


def test_a_broken_frame_is_refused_and_leaves_no_trace(village: Village, device: RawDevice) -> None:
    before = village.rows()
    for name, build in FRAMES.items():
        body, began = build(device), time.monotonic()
        response = device.send(body)
        assert code_of(response) == (400, "malformed"), name
        assert SECRET not in response.body.decode(), name
        assert time.monotonic() - began < 5, name
    refused(device.send(sound(device, protocol="2099-01-01")), 400, "unsupported_protocol")
    assert village.rows() == before
    assert device.sync(device.create(n=1)).verdicts[0].result == "applied"


def test_sizes_and_bombs(village: Village, device: RawDevice) -> None:
    """Bodies past the limit as they travel, and past the limit once unpacked, in a few KB."""
    before = village.rows()
    spaces = b" " * (DEFAULTS.plain_bytes_max + 1)
    bomb = {"zstd": zstandard.compress(spaces), "gzip": gzip.compress(spaces)}
    for encoding, body in bomb.items():
        assert len(body) < 100_000
        refused(device.send(body, content_encoding=encoding), 413, "too_large_request")
    frames = zstandard.compress(b" " * 2**20) * 40
    refused(device.send(frames, content_encoding="zstd"), 413, "too_large_request")
    refused(device.send(b" " * (DEFAULTS.body_bytes_max + 1)), 413, "too_large_request")
    refused(device.send(gzip.compress(gzip.compress(b"{}")), content_encoding="gzip"), 400, "malformed")
    window = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    ).compress(b"{}" * 10)
    refused(device.send(window, content_encoding="zstd"), 400, "malformed")
    for encoding, body in (("zstd", b"\xff" * 50), ("gzip", b"\x1f\x8b" + b"\0" * 50), ("zstd", b"")):
        refused(device.send(body, content_encoding=encoding), 400, "malformed")
    for encoding in ("br", "deflate", "gzip, zstd", "x" * 500, "ZSTD1"):
        refused(device.send(sound(device), content_encoding=encoding), 415, "unsupported_media")
    assert village.rows() == before
    just = sound(device).ljust(DEFAULTS.body_bytes_max)
    assert device.send(just).status == 200


def test_who_signs_and_who_does_not(village: Village, device: RawDevice) -> None:
    other = RawDevice(village, "李强")
    before = village.rows()
    body = sound(device)
    signed = device.headers(body)

    def send(headers: dict[str, str], path: str = SYNC, sent: bytes = body) -> Response:
        return village.link.exchange("POST", path, headers, sent)

    for missing in (signing.DEVICE_HEADER, signing.SERIAL_HEADER, signing.SIGNATURE_HEADER):
        left = {name: value for name, value in signed.items() if name != missing}
        refused(send(left), 401, "unauthorised")
        for strange in (
            "",
            "x",
            "1.5",
            "-1",
            "9" * 40,
            "٣",
            "=" * 10,
            "." * 10,
            "a.b",
            f"{TOWN}.",
            f"{TOWN}.x",
        ):
            if not strange.isascii():
                continue
            assert code_of(send({**signed, missing: strange}))[0] == 401, (missing, strange)
    for device_id in (
        f"{OTHER_TOWN}.{device.id}",
        f"000000000.{device.id}",
        f"{TOWN}.{village.new_id()}",
        f"{TOWN}.{other.id}",
        f"{GRID}.{device.id}",
    ):
        assert code_of(send({**signed, signing.DEVICE_HEADER: device_id}))[0] == 401
    unknown = send({**signed, signing.DEVICE_HEADER: f"{TOWN}.{village.new_id()}"})
    wrong = send({**signed, signing.SIGNATURE_HEADER: signing.encode_bytes(b"\1" * 64)})
    assert unknown.body == wrong.body  # which of the two it was is not told
    refused(send({**signed, signing.SERIAL_HEADER: "999"}), 401, "signature_invalid")
    refused(send(signed, sent=body + b" "), 401, "signature_invalid")
    refused(send({**signed, signing.SIGNATURE_HEADER: "AA"}), 401, "signature_invalid")
    assert village.rows() == before
    assert send(signed).status == 200


def test_enrolment_takes_nothing_strange(village: Village) -> None:
    code, before = village.code("赵敏"), village.rows()
    key = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
    good = {"protocol": "2026-11-21", "code": code, "public_key": key}
    strange: dict[str, tuple[Any, ...]] = {
        "public_key": ("", "x", key + "A", "é" * 43, key[:-1], "=" * 43, 7, None),
        "client": ("\0", "x" * 201, 7),
        "protocol": ("", "2099-01-01", 7),
        "code": (7, None, []),
    }
    bodies: list[Any] = [{**good, name: value} for name, values in strange.items() for value in values]
    for asked in (*bodies, [], 7, None, "x"):
        response = village.link.exchange("POST", "/v1/devices/enrol", PLAIN, msgspec.json.encode(asked))
        assert code_of(response)[0] == 400
    for body in (b"", b"{", b"\xff", rb'{"protocol":"\ud800"}', b"[" * 100_000):
        assert code_of(village.link.exchange("POST", "/v1/devices/enrol", PLAIN, body))[0] == 400
    for wrong in ("", "\0", "AAAA-AAAA", "x" * 10**6, "١٢٣٤-٥٦٧٨", "𝕏" * 8):
        body = msgspec.json.encode({**good, "code": wrong})
        assert code_of(village.link.exchange("POST", "/v1/devices/enrol", PLAIN, body)) == (
            403,
            "code_invalid",
        )
    assert village.rows() == before
