"""Bodies as they travel, never beyond a limit: in the protocol's own coding, in zstd, gzip or plain."""

import zlib
from functools import cache
from typing import Final

import zstandard

from sync_protocol.dictionary import CODING, MARK_BYTES, mark_of, of_answer, of_requests

ACCEPTED: Final = "zstd, gzip"
_SMALL_BYTES: Final = 200
"""Below this, compression without a dictionary costs more than it saves."""
_STRONG_BYTES: Final = 2**16
"""Up to this a body is worth the time: some ten milliseconds, where a slow link takes seconds."""
_LEVEL: Final = 3
_LEVEL_STRONG: Final = 19
_GZIP: Final = 31
_CHUNK_BYTES: Final = 1_024
"""Input is fed in pieces this small, so that a bomb is noticed before it fills the memory."""
_WINDOW_BYTES: Final = 8 * 2**20


class Undecodable(ValueError):  # noqa: N818 (it is the body that cannot be decoded)
    """Not what its Content-Encoding says, or larger than the limit."""


def packed(body: bytes, coding: str = "zstd") -> tuple[bytes, dict[str, str]]:
    """A request's body as it travels, and the header that says so."""
    level = _LEVEL_STRONG if len(body) <= _STRONG_BYTES else _LEVEL
    if coding == CODING:
        packer = zstandard.ZstdCompressor(level=level, dict_data=_dictionary(level), write_dict_id=False)
        return packer.compress(body), {"content-encoding": CODING}
    if len(body) < _SMALL_BYTES:
        return body, {}
    return zstandard.ZstdCompressor(level=level).compress(body), {"content-encoding": "zstd"}


def unpacked(body: bytes, encoding: str, limit_bytes: int, request: bytes | None = None) -> bytes:
    """A body as it was before its encoding; `request` is what it answers, if it is an answer. Raises Undecodable."""
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "zstd":
            plain = _unzstd(body, limit_bytes)
        case "gzip":
            plain = _gunzip(body, limit_bytes)
        case coding if coding == CODING:
            plain = _unpacked(body, limit_bytes) if request is None else _answered(body, limit_bytes, request)
        case other:
            message = f"unknown encoding {other[:20]}"
            raise Undecodable(message)
    if len(plain) > limit_bytes:
        message = f"more than {limit_bytes} bytes"
        raise Undecodable(message)
    return plain


def _unpacked(body: bytes, limit_bytes: int) -> bytes:
    return _unzstd(body, limit_bytes, zstandard.ZstdCompressionDict(of_requests()))


def _answered(body: bytes, limit_bytes: int, request: bytes) -> bytes:
    if body[:MARK_BYTES] != mark_of(request):
        message = "the answer to another request"
        raise Undecodable(message)
    return _unzstd(body[MARK_BYTES:], limit_bytes, zstandard.ZstdCompressionDict(of_answer(request)))


@cache
def _dictionary(level: int) -> zstandard.ZstdCompressionDict:
    """That of requests, made ready once: threads may share it, unlike what compresses with it."""
    dictionary = zstandard.ZstdCompressionDict(of_requests())
    dictionary.precompute_compress(level=level)
    return dictionary


def _unzstd(body: bytes, limit_bytes: int, dictionary: zstandard.ZstdCompressionDict | None = None) -> bytes:
    stream = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=_WINDOW_BYTES).decompressobj()
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
