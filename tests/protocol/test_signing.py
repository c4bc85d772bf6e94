"""What a device signs, and the three headers that carry it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.signing import (
    DEVICE_HEADER,
    SERIAL_HEADER,
    SERIAL_MAX,
    SIGNATURE_HEADER,
    Credentials,
    decode_bytes,
    encode_bytes,
    headers,
    read_headers,
    signed_bytes,
)

TOWNSHIP, DEVICE = "321283104", "01900000-0000-7000-8000-000000000001"


def test_the_signed_bytes_are_pinned() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert signed_bytes("POST", "/v1/sync", 7, b"") == f"POST\n/v1/sync\n7\n{empty}".encode()


def test_every_part_is_under_the_signature() -> None:
    variants = {
        signed_bytes("POST", "/v1/sync", 7, b"body"),
        signed_bytes("GET", "/v1/sync", 7, b"body"),
        signed_bytes("POST", "/v1/other", 7, b"body"),
        signed_bytes("POST", "/v1/sync", 8, b"body"),
        signed_bytes("POST", "/v1/sync", 7, b"bodz"),
    }
    assert len(variants) == 5


@given(st.integers(1, SERIAL_MAX), st.binary(max_size=80))
def test_headers_come_back(serial: int, signature: bytes) -> None:
    sent = headers(TOWNSHIP, DEVICE, serial, signature)
    found = read_headers(sent[DEVICE_HEADER], sent[SERIAL_HEADER], sent[SIGNATURE_HEADER])
    assert found == (Credentials(TOWNSHIP, DEVICE, serial, signature) if signature else None)


@given(st.binary(max_size=80))
def test_bytes_come_back_without_padding(raw: bytes) -> None:
    assert decode_bytes(encode_bytes(raw)) == raw
    assert "=" not in encode_bytes(raw)


HEADER = st.none() | st.text(max_size=30)


@given(HEADER, HEADER, HEADER)
def test_hostile_headers_are_none_or_read(
    device: str | None, serial: str | None, signature: str | None
) -> None:
    found = read_headers(device, serial, signature)
    assert found is None or 1 <= found.serial <= SERIAL_MAX


@pytest.mark.parametrize(
    "serial", ["", "-1", "+1", "1.0", "1e3", " 1", "0x1", "٣", "²", "1" * 17, "1" * 5_000, "1_0", "NaN"]
)
def test_a_serial_is_plain_digits(serial: str) -> None:
    assert read_headers(f"{TOWNSHIP}.{DEVICE}", serial, "AAAA") is None


def test_a_serial_lies_between_its_bounds() -> None:
    read = [read_headers(f"{TOWNSHIP}.{DEVICE}", str(n), "AAAA") for n in (0, 1, SERIAL_MAX, SERIAL_MAX + 1)]
    assert [one.serial if one else None for one in read] == [None, 1, SERIAL_MAX, None]
    assert read_headers(f"{TOWNSHIP}.{DEVICE}", "9" * 16, "AAAA") is None


@pytest.mark.parametrize("signature", ["A", "AAAAA", "AA AA", "AA\nA", "é", "AAA\ud800", "A=", "===="])
def test_a_signature_is_base64url(signature: str) -> None:
    assert read_headers(f"{TOWNSHIP}.{DEVICE}", "1", signature) is None


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_all_three_headers_are_needed(missing: int) -> None:
    given_headers: list[str | None] = [f"{TOWNSHIP}.{DEVICE}", "1", "AAAA"]
    given_headers[missing] = None
    assert read_headers(*given_headers) is None
