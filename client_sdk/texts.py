"""Texts that cannot be written down: half of a character (a lone surrogate), as broken input methods leave it."""

from sync_protocol.errors import InvalidRecord


def writable(text: str) -> bool:
    """Whether a text can be stored and sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unwritable(field: str) -> InvalidRecord:
    """The error for a text that cannot be; `field` is what it was given as."""
    return InvalidRecord(
        field,
        "含有不完整的字符，请重新输入 / it holds half of a character (a lone surrogate): type it again",
    )
