"""Bodies as they travel: bounded, compressed both ways with zstd or gzip, plain always accepted."""

import zlib
from typing import Any, Final

import zstandard
from litestar import Request, Response
from litestar.exceptions import InternalServerException

from server.problems import Problem
from sync_protocol.limits import Limits

JSON_TYPE: Final = "application/json"
_GZIP: Final = 16 + zlib.MAX_WBITS
_PLAIN_BYTES: Final = 400
"""A smaller body gains nothing by compression."""
_LEVEL: Final = 3


async def read_body(request: Request[Any, Any, Any], limits: Limits) -> bytes:
    """The body as it travelled; refused as soon as it is larger than the limit, without reading the rest."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limits.body_bytes_max:
                raise Problem("too_large_request", f"a body has at most {limits.body_bytes_max} bytes")
            parts.append(part)
    except InternalServerException as error:  # Litestar's word for a caller who hung up in the middle
        raise Problem("malformed", "the body ends before the length that was announced") from error
    return b"".join(parts)


def decompress(body: bytes, encoding: str | None, limits: Limits) -> bytes:
    """The plain body. A bomb is refused when it passes the limit, not when memory runs out."""
    most = limits.plain_bytes_max
    try:
        if encoding in {None, "", "identity"}:
            return body
        if encoding == "zstd":
            plain = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read(most + 1)
        elif encoding == "gzip":
            stream = zlib.decompressobj(_GZIP)
            plain = stream.decompress(body, most + 1)
            if len(plain) <= most and not stream.eof:
                raise Problem("malformed", "the gzip stream is cut short")
        else:
            raise Problem("unsupported_media", "content encodings are zstd, gzip and identity")
    except (zlib.error, zstandard.ZstdError) as error:
        raise Problem("malformed", f"the body is not valid {encoding}") from error
    if len(plain) > most:
        raise Problem("too_large_request", f"a body has at most {most} bytes decompressed")
    return plain


def respond(request: Request[Any, Any, Any], body: bytes) -> Response[bytes]:
    """JSON in the best compression that the caller accepts."""
    accepted = {
        part.partition(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")
    }
    if len(body) < _PLAIN_BYTES or not accepted & {"zstd", "gzip"}:
        return Response(body, media_type=JSON_TYPE)
    if "zstd" in accepted:
        packed, encoding = zstandard.ZstdCompressor(level=_LEVEL).compress(body), "zstd"
    else:
        packer = zlib.compressobj(wbits=_GZIP)
        packed, encoding = packer.compress(body) + packer.flush(), "gzip"
    headers = {"content-encoding": encoding, "vary": "accept-encoding"}
    return Response(packed, media_type=JSON_TYPE, headers=headers)
