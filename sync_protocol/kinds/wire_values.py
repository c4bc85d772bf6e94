"""Values as Python code has them, written as the JSON that shapes.py checks.

msgspec alone would write NaN as null and a naive time as a time without offset, which read as something
else; here they are refused where they stand.
"""

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from sync_protocol.kinds.declaration import Title
from sync_protocol.kinds.findings import InvalidField


def to_wire(values: Mapping[str, Any]) -> bytes:
    """JSON of fields given as Python values.

    Taken: None, bool, int, float, str, aware datetimes, dates, Decimal and UUID (as text), lists, tuples,
    sets, mappings with text keys. Raises InvalidField with the name of the field for anything else.
    """
    plain: dict[str, Any] = {}
    for name, value in values.items():
        try:
            plain[name] = _plain(value)
            msgspec.json.encode(plain[name])
        except _NoJson as error:
            raise InvalidField(name, error.reason, "invalid_field") from None
        except (ValueError, OverflowError, RecursionError):
            reason = Title(
                "无法写成 JSON：含有不成对的代理码位，或嵌套过深",
                "it cannot be written as JSON: it holds a lone surrogate, or is nested too deeply",
            )
            raise InvalidField(name, reason, "invalid_field") from None
    return msgspec.json.encode(plain)


class _NoJson(Exception):  # noqa: N818 - never leaves this module
    """A value that has no JSON of its own."""

    def __init__(self, reason: Title) -> None:
        super().__init__(reason.en)
        self.reason = reason


def _plain(value: Any) -> Any:
    """The value in types that msgspec writes as they are meant."""
    if isinstance(value, Mapping):
        return {_key(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal | UUID):
        return str(value)
    if not isinstance(value, bool | int | float | str | dt.date | None):
        name = type(value).__name__
        raise _NoJson(Title(f"类型 {name} 不能用作字段的值", f"a {name} cannot be the value of a field"))
    if isinstance(value, float) and not math.isfinite(value):
        raise _NoJson(Title(f"{value} 不是有限的数", f"{value} is not a finite number"))
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        raise _NoJson(Title("时间缺少时区", "the time has no time zone"))
    return value


def _key(key: Any) -> str:
    """The key of a mapping, which is a text."""
    if not isinstance(key, str):
        raise _NoJson(Title("键应为文字", "keys are text"))
    return key
