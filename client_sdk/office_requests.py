"""The parts of an application's requests: paths, queries, headers, values. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from client_sdk.office_answers import OfficeRecord
from client_sdk.texts import unwritable, writable
from sync_protocol.errors import InvalidRecord, NotFound
from sync_protocol.kinds import InvalidField, to_wire

_PLACES: Final = ("grid", "village", "township", "place")


def json_headers() -> dict[str, str]:
    """The body is JSON."""
    return {"content-type": "application/json"}


def quoted(name: str) -> str:
    """One segment of a path; raises NotFound for what cannot be the name of anything."""
    try:
        return quote(name, safe="")
    except UnicodeEncodeError as error:
        message = "没有这个编号 / there is nothing of this id: it holds half of a character"
        raise NotFound(message) from error


def record_path(record: OfficeRecord | str) -> str:
    """Where a record is found."""
    return f"/v1/records/{quoted(record.id if isinstance(record, OfficeRecord) else record)}"


def seen(record: OfficeRecord | str, base: OfficeRecord | int | None) -> dict[str, str]:
    """If-Match with the version that was shown; a bare id says nothing of that."""
    shown = base if base is not None else record
    if isinstance(shown, str):
        message = "an edit by bare id needs base=, the snapshot or version that was shown"
        raise TypeError(message)
    return {"if-match": f'"{shown.version if isinstance(shown, OfficeRecord) else shown}"'}


def seen_or_any(record: OfficeRecord | str) -> dict[str, str]:
    """If-Match with the version of a snapshot; a bare id takes whatever stands."""
    return seen(record, None) if isinstance(record, OfficeRecord) else {"if-match": "*"}


def take_place(fields: dict[str, Any]) -> str | None:
    """The place that was named, taken out of the fields."""
    named = [str(fields.pop(name)) for name in _PLACES if fields.get(name) is not None]
    if len(named) > 1:
        message = "a record lies in one place: name grid=, village= or township="
        raise TypeError(message)
    return named[0] if named else None


def names(fields: Sequence[str] | None) -> str | None:
    """Fields as the server takes them in a query."""
    return None if fields is None else ",".join(fields)


def query_of(values: Mapping[str, Any]) -> str:
    """The query of an address, without what is None; raises InvalidRecord, naming what cannot be written."""
    given = {name: _text(value) for name, value in values.items() if value is not None}
    for name, value in given.items():
        if not writable(value):
            raise unwritable(name)
    return f"?{urlencode(given)}" if given else ""


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def wire(fields: Mapping[str, Any]) -> msgspec.Raw:
    """Fields as JSON; raises InvalidRecord for what has none."""
    try:
        return msgspec.Raw(to_wire(fields))
    except InvalidField as problem:
        raise InvalidRecord(problem.path, problem.reason_en) from None


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Python values as JSON has them; raises InvalidRecord."""
    decoded: dict[str, Any] = msgspec.json.decode(wire(values))
    return decoded
