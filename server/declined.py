"""What a service of the HTTP surface says when it will not do what it was asked."""

from typing import Any


class Declined(Exception):  # noqa: N818 (nothing went wrong: a request was declined)
    """Nothing was changed; raised inside a transaction it takes back what was begun.

    `code` is a key of sync_protocol.codes.CODES of the sort `request`, `detail` a sentence about this
    occurrence, `extra` further members of the problem document; of these, `detail_zh` is that sentence in Chinese.
    """

    def __init__(self, code: str, detail: str = "", **extra: Any) -> None:
        """See the class."""
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.extra = extra


def not_found() -> Declined:
    """The one answer for what does not exist and for what lies outside the caller's scope."""
    return Declined("not_found")


def invalid(field: str | None, reason: str, cause: str = "invalid_field", **extra: Any) -> Declined:
    """A value is not what its kind allows; `cause` is the code that a device's change would get."""
    return Declined("invalid_record", reason, field=field, cause=cause, **extra)
