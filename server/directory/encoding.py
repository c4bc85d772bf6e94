"""Bytes of a file that somebody made with a spreadsheet, to text. Pure."""

from typing import Final

from server.refused import RefusedError

FILE_BYTES_MAX: Final = 256 * 2**20


def decode(data: bytes, encoding: str | None = None) -> str:
    """The text of a file, UTF-8 unless `encoding` says otherwise; a byte order mark is taken off.

    Raises RefusedError that says what the file seems to be written in.
    """
    if len(data) > FILE_BYTES_MAX:
        message = (
            f"A list has at most {FILE_BYTES_MAX >> 20} MiB, this file has {len(data) >> 20}: divide it."
        )
        raise RefusedError(message)
    try:
        return data.decode(encoding or "utf-8").removeprefix("\ufeff")
    except LookupError as error:
        message = f"There is no encoding {encoding!r}: write --encoding utf-8 or --encoding gb18030."
        raise RefusedError(message) from error
    except UnicodeDecodeError as error:
        raise RefusedError(_other_encoding(data, encoding)) from error


def _other_encoding(data: bytes, encoding: str | None) -> str:
    if encoding is not None:
        return f"The file is not written in {encoding}."
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "The file is written in UTF-16: save it as CSV UTF-8, or add --encoding utf-16."
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return "The file is not text in UTF-8: save it as CSV UTF-8."
    return "The file seems to be written in GBK, not UTF-8: save it as CSV UTF-8, or add --encoding gb18030."
