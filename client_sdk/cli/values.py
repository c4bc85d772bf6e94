"""NAME=VALUE on a command line, read as the field's type; NAME:=JSON for everything that has structure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sync_protocol.errors import InvalidRecord
from sync_protocol.kinds import Field, Kind


def values(kind: Kind, given: Sequence[str], entries_of: str | None = None) -> dict[str, Any]:
    """The fields, or the sub-fields of one entry, that were given. Raises InvalidRecord.

    An empty VALUE clears a field; a set is a list with commas; yes and no stand for true and false.
    """
    fields = kind.fields
    if entries_of is not None:
        lists = kind.field(entries_of)
        fields = {sub.name: sub for sub in lists.of} if lists is not None else {}
    return dict(_one(fields, text) for text in given)


def _one(fields: dict[str, Field], text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidRecord(text, "请写 栏目=内容 / write NAME=VALUE")
    if name.endswith(":"):
        try:
            return name[:-1], msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise InvalidRecord(name[:-1], "不是有效的 JSON / the value is not JSON") from error
    declared = fields.get(name)
    return name, _typed(declared, name, value) if declared is not None else value


def _typed(declared: Field, name: str, value: str) -> Any:
    if not value:
        return None
    try:
        match declared.type:
            case "integer":
                return int(value)
            case "number":
                return float(value)
            case "boolean":
                return {"yes": True, "true": True, "是": True, "no": False, "false": False, "否": False}[
                    value
                ]
            case "choices":
                return [code.strip() for code in value.split(",")]
            case "point":
                lat, lon = value.split(",")
                return {"lat": float(lat), "lon": float(lon)}
            case _:
                return value
    except (ValueError, KeyError) as error:
        raise InvalidRecord(
            name, f"应为 {declared.type} 类型 / the value is not of type {declared.type}"
        ) from error
