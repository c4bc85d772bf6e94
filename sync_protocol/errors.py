"""What can go wrong on the side of a program that uses Roundbook, as one tree.

    RoundbookError
    +-- Offline            no answer from a Roundbook server; try again later, nothing is lost
    +-- NotEnrolled        this store belongs to no device yet, or the server does not know the device
    +-- Revoked            the township has revoked this device
    +-- InvalidRecord      a value is not what its kind allows; nothing was saved
    +-- NotFound           there is no such record here
    +-- Incompatible       client and server share no protocol version
    +-- Refused            the server refused a request; `code` says why
    |   +-- VersionConflict    a field was changed meanwhile; read it again
    |   +-- Forbidden          the token's scopes do not cover this
    +-- StoreLocked        another process has the store open for writing, or its lease has ended
    +-- WrongPassphrase    the passphrase does not open the store
    +-- StoreDamaged       the store's file is damaged; the next step is in the message
    +-- StoreFull          the disk is full; what was being saved is not saved, everything before is
    +-- QueueNotEmpty      refused, because unsent changes would be lost
    +-- Busy               a sync is running on this store already
    +-- CursorExpired      the feed's cursor is too old; read again from the beginning

Every error has a `code` for programs and says in a sentence what happened and what to do.
"""

from typing import ClassVar


class RoundbookError(Exception):
    """The root: catch it to catch everything that Roundbook raises on purpose."""

    code: ClassVar[str] = "error"


class Offline(RoundbookError):
    """No answer from a Roundbook server. Nothing is lost; try again later."""

    code = "offline"


class NotEnrolled(RoundbookError):
    """This store belongs to no device of the server: enrol it with a one-time code."""

    code = "not_enrolled"


class Revoked(RoundbookError):
    """The township has revoked this device. What was not sent has been handed in, or waits here."""

    code = "revoked_device"


class InvalidRecord(RoundbookError):
    """A value is not what its kind allows. Nothing was saved."""

    code = "invalid_record"

    def __init__(self, field: str, reason: str) -> None:
        """Names the field and the reason."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotFound(RoundbookError):
    """There is no such record, kind or conflict here."""

    code = "not_found"


class Incompatible(RoundbookError):
    """Client and server share no protocol version: upgrade the older of the two."""

    code = "unsupported_protocol"


class Refused(RoundbookError):
    """The server refused a request; nothing was changed."""

    code = "refused"

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        """Keeps the server's code (see docs/errors.md) and HTTP status."""
        super().__init__(message)
        self.server_code = code
        self.status = status


class VersionConflict(Refused):
    """A field that the request touches has changed meanwhile: read the record again."""

    code = "version_conflict"


class Forbidden(Refused):
    """The token's scopes do not cover this."""

    code = "forbidden"


class StoreLocked(RoundbookError):
    """Another process is writing to the store, or its lease has ended: the message says the next step."""

    code = "store_locked"


class WrongPassphrase(RoundbookError):
    """The passphrase does not open the store."""

    code = "wrong_passphrase"


class StoreDamaged(RoundbookError):
    """The store's file is damaged; keep it, and see the message for the next step."""

    code = "store_damaged"


class StoreFull(RoundbookError):
    """The disk is full: this save did not happen, everything before it did."""

    code = "store_full"


class QueueNotEmpty(RoundbookError):
    """Refused: unsent changes would be lost."""

    code = "queue_not_empty"


class Busy(RoundbookError):
    """A sync is running on this store already."""

    code = "busy"


class CursorExpired(RoundbookError):
    """The feed's cursor is too old: read the records again, then start from a new cursor."""

    code = "cursor_expired"
