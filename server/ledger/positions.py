"""Where a list of the ledger goes on: an opaque text, checked for its form. Pure."""

import base64
import binascii
from typing import Final

import msgspec

from server.declined import Declined
from server.records.paging import NUMBER_MAX
from server.storage.ledger import Row
from server.storage.ledger_lists import After, Sort
from sync_protocol.ids import is_id

_NUMBER_CHARS_MAX: Final = 40
_decode: Final = msgspec.json.Decoder(After).decode


def value_of(row: Row, sort: Sort) -> int | str:
    """By what a row is sorted."""
    match sort:
        case "due":
            return row.due_ms or 0
        case "number":
            return row.number
    return row.reported_ms


def token(row: Row, sort: Sort) -> str:
    """The text from which the page after this row goes on."""
    body = msgspec.json.encode(After(value_of(row, sort), row.record_id))
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def after_of(text: str | None, sort: Sort) -> After | None:
    """The place that `token` wrote, None for the beginning; declines any other text, and one of another order."""
    if not text:
        return None
    try:
        found = _decode(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _unknown() from error
    fits = (
        isinstance(found.value, str) and len(found.value) <= _NUMBER_CHARS_MAX and "\0" not in found.value
        if sort == "number"
        else isinstance(found.value, int) and 0 <= found.value <= NUMBER_MAX
    )
    if not fits or not is_id(found.record):
        raise _unknown()
    return found


def _unknown() -> Declined:
    return Declined("cursor_invalid", "after is the `next` of a page of this list, in the same order")
