"""Bytes to messages and back, within limits. Compression and signatures are the drivers' business.

A request is read in two steps. The frame must be sound, else there is nobody to answer (Malformed). Its
changes are read one by one, so that one bad change never takes the others with it: what cannot be decoded
is still kept by its id, as `Unreadable`.

The fast reader leaves each change as the bytes that travelled. It stops at what is legal JSON but no legal
text (a lone surrogate) or nested too deeply, and cannot say in which element. Then the changes are cut out of
the frame without being read (json_parts.py), still as they travelled, so that a resend stays a resend.
"""

from typing import Final, TypeVar

import msgspec

from sync_protocol.changes import Change, glimpse
from sync_protocol.changes import decode as decode_change
from sync_protocol.ids import is_id
from sync_protocol.json_parts import elements, members
from sync_protocol.limits import DEFAULTS, Limits
from sync_protocol.messages import EnrolAnswer, EnrolRequest, SyncAnswer, SyncRequest

Message = TypeVar("Message")
INTEGER_MAX: Final = 2**53
"""Exact in every reader of JSON, and far from where a database's 64 bits end."""
VERSION_MAX: Final = 2**31 - 1
PATIENT_BYTES_MAX: Final = 2**20
"""The patient reader takes about a second a MiB; a device's batch is a quarter of one."""
_TEXT_MAX: Final = 200
"""Characters that a short text of the frame (nonce, epoch, client) may have."""


class Malformed(ValueError):  # noqa: N818 (it is the message that is malformed)
    """The frame is broken: nothing of it was read. The text says what was expected, never what came."""


class Unreadable(msgspec.Struct, frozen=True):
    """A change that could not be decoded, with what could be read of it."""

    raw: bytes
    id: str | None
    """None when not even the id can be read; then `kept` of the answer tells where it went."""
    record: str
    n: int
    code: str
    reason: str


encode: Final = msgspec.json.Encoder().encode
_request: Final = msgspec.json.Decoder(SyncRequest)
_answer: Final = msgspec.json.Decoder(SyncAnswer)
_enrol_request: Final = msgspec.json.Decoder(EnrolRequest)
_enrol_answer: Final = msgspec.json.Decoder(EnrolAnswer)


def read_request(body: bytes, limits: Limits = DEFAULTS) -> SyncRequest:
    """The frame of a request; raises Malformed."""
    try:
        request = _request.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if len(body) > PATIENT_BYTES_MAX:
            message = (
                f"something in the body is not JSON; above {PATIENT_BYTES_MAX} bytes nobody looks for it"
            )
            raise Malformed(message) from error
        request = _patient(body)
    if len(request.changes) > limits.changes_max:
        message = f"a request takes at most {limits.changes_max} changes, this one has {len(request.changes)}"
        raise Malformed(message)
    texts = (request.nonce, request.client, request.protocol, request.profile or "", *request.reread)
    if request.offer is not None:
        texts += (request.offer.key, request.offer.proof)
    texts += tuple(text for one in request.numbers.values() for text in (one.number, one.proof))
    if not request.nonce or not is_id(request.epoch) or not all(map(_is_short_text, texts)):
        message = f"nonce, client, numbers, offer are texts of 1 to {_TEXT_MAX} printable characters, the epoch a UUID"
        raise Malformed(message)
    if max(abs(request.now), abs(request.lowest), abs(request.queued), abs(request.page_bytes)) > INTEGER_MAX:
        message = f"numbers of the frame lie within {INTEGER_MAX}"
        raise Malformed(message)
    return request


def read_change(raw: msgspec.Raw | bytes, limits: Limits = DEFAULTS) -> Change | Unreadable:
    """One change of a request, or what can be said of one that is not readable."""
    data = bytes(raw)
    if len(data) > limits.record_bytes_max:
        return _unreadable(
            data, "too_large", f"at most {limits.record_bytes_max} bytes a change, got {len(data)}"
        )
    try:
        change = decode_change(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _unreadable(data, "unreadable", _without_values(error))
    problem = _problem(change, limits)
    return change if problem is None else _unreadable(data, "unreadable", problem)


def read_answer(body: bytes) -> SyncAnswer:
    """A server's answer; raises Malformed for everything else, such as a captive portal's page."""
    return _read(_answer, body)


def read_enrol_request(body: bytes) -> EnrolRequest:
    """A device's request to be enrolled; raises Malformed."""
    return _read(_enrol_request, body)


def read_enrol_answer(body: bytes) -> EnrolAnswer:
    """The answer to it; raises Malformed."""
    return _read(_enrol_answer, body)


def _problem(change: Change, limits: Limits) -> str | None:
    """What is wrong with the envelope of a change, if anything; values are the kind's business."""
    named = {
        change.id,
        change.record,
        *change.predecessors,
        change.decides or change.id,
        change.into or change.id,
    }
    if not all(map(is_id, named)):
        return "ids are UUIDs in lower case"
    if len(change.ops) > limits.ops_max:
        return f"at most {limits.ops_max} operations a change, got {len(change.ops)}"
    numbers = (change.n, change.mark, change.base, *change.bases.values())
    clocks = (abs(change.at), abs(change.since or 0))
    if change.n < 1 or min(numbers) < 0 or max(*numbers, *clocks) > INTEGER_MAX:
        return f"n is 1 or more, base and mark 0 or more, and no number beyond {INTEGER_MAX}"
    if not 1 <= change.version <= VERSION_MAX:
        return f"the kind's version is 1 to {VERSION_MAX}"
    if change.do == "create" and change.place is None:
        return "a create says where the record lies"
    if change.do == "create" and change.ops:
        return "a create has its values in fields, not in operations"
    if change.do == "delete" and (change.ops or change.act or change.place or bytes(change.fields) != b"{}"):
        return "a delete says nothing else"
    note = change.act.note if change.act is not None else None
    texts = (change.kind, change.place, change.reason, note, *(op.field for op in change.ops))
    if any("\0" in (text or "") for text in texts):
        return "no text has a NUL character"
    return None


def _is_short_text(text: str) -> bool:
    return len(text) <= _TEXT_MAX and text.isprintable()


def _unreadable(data: bytes, code: str, reason: str) -> Unreadable:
    seen = glimpse(data)
    if seen is None or not is_id(seen.id):
        return Unreadable(data, None, "", 0, code, reason)
    record = seen.record if is_id(seen.record) else ""
    return Unreadable(data, seen.id, record, seen.n if 0 < seen.n <= INTEGER_MAX else 0, code, reason)


def _without_values(error: Exception) -> str:
    """Where decoding failed, without what stood there: a reason must not carry what a citizen said."""
    _, found, path = str(error).rpartition(" - at `")
    if found:
        return f"not what is expected at {path.rstrip('`')}"
    known = isinstance(error, msgspec.ValidationError)
    return "a key that is missing, or that this protocol does not have" if known else "not JSON"


def _read(decoder: msgspec.json.Decoder[Message], body: bytes) -> Message:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(_without_values(error)) from error


def _patient(body: bytes) -> SyncRequest:
    """The frame with its changes cut out as they travelled, each to be judged by itself."""
    try:
        parts = members(body)
        changes = elements(parts.pop("changes", b"[]"))
        frame = b",".join(b'"%s":%s' % (key.encode(), value) for key, value in parts.items())
        request = _request.decode(b"{%s}" % frame)
    except (ValueError, RecursionError) as error:
        message = "the body is not a sync request in JSON"
        raise Malformed(message) from error
    return msgspec.structs.replace(request, changes=[msgspec.Raw(change) for change in changes])
