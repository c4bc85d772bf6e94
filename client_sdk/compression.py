"""Bodies as they travel: zstd on the way up, zstd, gzip or plain on the way down, never beyond a limit."""

import zlib
from typing import Final

import zstandard

ACCEPTED: Final = "zstd, gzip"
_SMALL_BYTES: Final = 200
"""Below this, compression costs more than it saves."""
_LEVEL: Final = 3
_GZIP: Final = 31
_CHUNK_BYTES: Final = 1_024
"""Input is fed in pieces this small, so that a bomb is noticed before it fills the memory."""
_WINDOW_BYTES: Final = 8 * 2**20


class Undecodable(ValueError):  # noqa: N818 (it is the body that cannot be decoded)
    """Not what its Content-Encoding says, or larger than the limit."""


def packed(body: bytes) -> tuple[bytes, dict[str, str]]:
    """A request's body as it travels, and the header that says so."""
    if len(body) < _SMALL_BYTES:
        return body, {}
    return zstandard.ZstdCompressor(level=_LEVEL).compress(body), {"content-encoding": "zstd"}


def unpacked(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """A response's body as it was before its encoding. Raises Undecodable."""
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "zstd":
            plain = _unzstd(body, limit_bytes)
        case "gzip":
            plain = _gunzip(body, limit_bytes)
        case other:
            message = f"unknown encoding {other[:20]}"
            raise Undecodable(message)
    if len(plain) > limit_bytes:
        message = f"more than {limit_bytes} bytes"
        raise Undecodable(message)
    return plain


def _unzstd(body: bytes, limit_bytes: int) -> bytes:
    stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
    parts: list[bytes] = []
    size = 0
    try:
        for at in range(0, len(body), _CHUNK_BYTES):
            parts.append(stream.decompress(body[at : at + _CHUNK_BYTES]))
            size += len(parts[-1])
            if size > limit_bytes or stream.eof:
                break
    except zstandard.ZstdError as error:
        message = "not zstd"
        raise Undecodable(message) from error
    if size <= limit_bytes and not stream.eof:
        message = "the end is missing"
        raise Undecodable(message)
    return b"".join(parts)


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        message = "not gzip"
        raise Undecodable(message) from error
    if len(plain) <= limit_bytes and not stream.eof:
        message = "the end is missing"
        raise Undecodable(message)
    return plain
