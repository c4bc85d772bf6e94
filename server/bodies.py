"""Bodies as they travel: bounded, compressed both ways with zstd or gzip, plain always accepted.

What devices say comes in a coding of their own too, with a dictionary (sync_protocol/dictionary.py).
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from functools import cache
from io import BytesIO
from typing import Any, Final

import zstandard
from litestar import Request
from litestar.config.compression import CompressionConfig
from litestar.datastructures import MutableScopeHeaders, State
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.middleware.compression.facade import CompressionFacade
from litestar.middleware.compression.middleware import CompressionMiddleware
from litestar.types import Empty, Message, Scope, Send

from server.admission import weigh
from server.problems import Problem
from sync_protocol.dictionary import CODING, mark_of, of_answer, of_requests
from sync_protocol.limits import Limits

JSON_TYPE: Final = "application/json"
_GZIP: Final = 16 + zlib.MAX_WBITS
_PLAIN_BYTES: Final = 400
"""A smaller body gains nothing by compression."""
_LEVEL: Final = 3
_PAGES: Final = zstandard.ZstdCompressionParameters.from_level(
    _LEVEL, strategy=zstandard.STRATEGY_LAZY, min_match=5, write_dict_id=False
)
"""As that level, but for Chinese text: what is shorter than two characters is no match worth naming."""
_STRONG_BYTES: Final = 2**14
"""Up to this an answer is compressed harder, which takes four tenths of a millisecond."""
_LEVEL_STRONG: Final = 9
_LEVEL_SPARING: Final = 16
"""For a narrow link: a seventh smaller than at the usual level, for some 0.4 milliseconds of processor a kilobyte."""
_SPARING_BYTES_MAX: Final = 2**20
_GZIP_LEVEL: Final = 6


class BoundedRequest(Request[Any, Any, State]):
    """A request whose body is bounded on every route, and decompressed where a handler asks for its content."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body as it travels; refused as soon as it is larger than the limit, without reading the rest."""
        if not self.is_connected:  # read already: a mistake in this program, and no answer to the caller
            message = "the body was streamed before"
            raise RuntimeError(message)
        try:
            async for part in super().stream():
                yield part
        except RequestEntityTooLarge as error:
            most = self.route_handler.resolve_request_max_body_size()
            raise Problem("too_large_request", f"a body has at most {most} bytes") from error
        except InternalServerException as error:  # Litestar's word for a caller who hung up in the middle
            raise Problem("malformed", "the body ends before the length that was announced") from error

    async def body(self) -> bytes:
        """The body without its compression, as the handlers of applications read it."""
        if self._body is Empty and self._connection_state.body is Empty:
            limits: Limits = (await self.app.dependencies["services"]()).limits
            plain = decompress(await read_body(self), self.headers.get("content-encoding"), limits)
            self._body = self._connection_state.body = plain
        return await super().body()


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """The body as it travelled, which is what a device has signed."""
    return b"".join([part async for part in request.stream()])


def decompress(body: bytes, encoding: str | None, limits: Limits) -> bytes:
    """The plain body. A bomb is refused when it passes the limit, not when memory runs out."""
    most = limits.plain_bytes_max
    try:
        if encoding in {None, "", "identity"}:
            return body
        if encoding in {"zstd", CODING}:
            reader = zstandard.ZstdDecompressor(dict_data=_dictionary() if encoding == CODING else None)
            plain = reader.stream_reader(body, read_across_frames=True).read(most + 1)
        elif encoding == "gzip":
            stream = zlib.decompressobj(_GZIP)
            plain = stream.decompress(body, most + 1)
            if len(plain) <= most and not stream.eof:
                raise Problem("malformed", "the gzip stream is cut short")
        else:
            raise Problem("unsupported_media", f"content encodings are {CODING}, zstd, gzip and identity")
    except (zlib.error, zstandard.ZstdError) as error:
        raise Problem("malformed", f"the body is not valid {encoding}") from error
    if len(plain) > most:
        raise Problem("too_large_request", f"a body has at most {most} bytes decompressed")
    weigh(len(plain))
    return plain


async def answered(request: bytes, answer: bytes, *, sparing: bool) -> bytes:
    """An answer in the coding of its request, which is sync_protocol's: both bodies before compression.

    `sparing`: its caller would rather wait for the processor than for the link (the header Save-Data).
    """
    if sparing and len(answer) <= _SPARING_BYTES_MAX:
        return await asyncio.to_thread(_answered, request, answer, level=_LEVEL_SPARING, write_dict_id=False)
    if len(answer) <= _STRONG_BYTES:
        return _answered(request, answer, level=_LEVEL_STRONG, write_dict_id=False)
    return _answered(request, answer, compression_params=_PAGES)


def _answered(request: bytes, answer: bytes, **how: Any) -> bytes:
    known = zstandard.ZstdCompressionDict(of_answer(request))
    return mark_of(request) + zstandard.ZstdCompressor(dict_data=known, **how).compress(answer)


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(of_requests())


class _Zstd(CompressionFacade):
    """Answers in zstd, in the form in which Litestar's middleware asks for it."""

    encoding = "zstd"

    def __init__(self, buffer: BytesIO, compression_encoding: str, config: CompressionConfig) -> None:
        """Writes to `buffer`."""
        del compression_encoding, config  # there is only this one
        self._buffer, self._packer = buffer, zstandard.ZstdCompressor(level=_LEVEL).compressobj()

    def write(self, body: bytes) -> None:
        self._buffer.write(self._packer.compress(body))

    def close(self) -> None:
        self._buffer.write(self._packer.flush())


class _Compression(CompressionMiddleware):
    """Litestar's, which leaves alone what a handler has compressed itself: it would do it twice."""

    def create_compression_send_wrapper(self, send: Send, compression_encoding: str, scope: Scope) -> Send:
        compressing = super().create_compression_send_wrapper(send, compression_encoding, scope)
        sending = compressing

        async def choose(message: Message) -> None:
            nonlocal sending
            if message["type"] == "http.response.start":
                done = "content-encoding" in MutableScopeHeaders.from_message(message)
                sending = send if done else compressing
            await sending(message)

        return choose


COMPRESSION: Final = CompressionConfig(
    middleware_class=_Compression,
    backend=_Zstd.encoding,
    compression_facade=_Zstd,
    minimum_size=_PLAIN_BYTES,
    gzip_compress_level=_GZIP_LEVEL,
)
"""Every answer travels in the best compression that its caller accepts: zstd, else gzip, else plain."""
