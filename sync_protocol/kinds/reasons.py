"""Says in words why fields do not fit. Runs only after the quick check has refused them.

The quick check (shapes.py) answers yes in a few microseconds, or no. Here the same fields are read once
more with a reader that stumbles over nothing (lone surrogates, invalid UTF-8, huge numbers), so that the
answer can name the field, the limit and what came.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from sync_protocol.kinds.declaration import (
    ENTRIES_MAX,
    FIELD_BYTES_MAX,
    RESERVED_NAMES,
    TEXT_CHARS_DEFAULT,
    Field,
    Title,
)
from sync_protocol.kinds.field_types import CANONICAL, ID_PATTERN, YEAR_MAX, YEAR_MIN, bounds, wire_type
from sync_protocol.kinds.findings import InvalidField
from sync_protocol.kinds.reading import did_you_mean

_ID: Final = re.compile(ID_PATTERN)
_QUOTABLE: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,39}|[0-9]{1,4}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T0-9:.Z+-]{0,25}"
)
"""Codes and dates: what a message may quote. Other texts may be somebody's narrative or telephone number."""
_DIGITS_MAX: Final = 400
_CODES_SHOWN: Final = 20
_NAME_SHOWN_CHARS: Final = 41
_PATH: Final = re.compile(r"`\$\.([a-z][a-z0-9_]*)")

_EXPECTED: Final[Mapping[str, Title]] = {
    "text": Title("文字", "text"),
    "boolean": Title("true 或 false", "true or false"),
    "date": Title(
        f"{YEAR_MIN} 到 {YEAR_MAX} 年的日期 YYYY-MM-DD", f"a date YYYY-MM-DD from {YEAR_MIN} to {YEAR_MAX}"
    ),
    "datetime": Title(
        f"{YEAR_MIN} 到 {YEAR_MAX} 年、带时区的时间（RFC 3339）",
        f"a time with its offset (RFC 3339) from {YEAR_MIN} to {YEAR_MAX}",
    ),
    "choices": Title("代码的列表", "a list of codes"),
    "entries": Title("以条目编号为键的表", "an object of entry ids to sub-fields"),
    "point": Title(
        "WGS-84 的 lat、lon（度），可有 accuracy_m（米）",
        "lat and lon in WGS-84 degrees, and perhaps accuracy_m",
    ),
    "reference": Title("记录编号（小写 UUID）", "a record id, a UUID in small letters"),
    "file": Title("bytes、name、sha256、type", "bytes, name, sha256 and type of a file"),
}


def explain(
    fields: Mapping[str, Field], raw: bytes, error: Exception, *, required: bool, within: str = ""
) -> InvalidField:
    """The first thing that is wrong with `raw`, which the quick check refused with `error`.

    `fields` are those of a kind, or the sub-fields of the entries that the path `within` names.
    `required` says whether what is required has to be there.
    """
    return fault(fields, raw, required=required, within=within) or _unreadable(error, within)


def fault(
    fields: Mapping[str, Field], raw: bytes, *, required: bool, within: str = ""
) -> InvalidField | None:
    """The first thing found wrong with `raw`; None when there is nothing, or nobody can read it."""
    try:
        values = json.loads(raw.decode("utf-8", "surrogateescape"), parse_int=_whole, strict=False)
        if not isinstance(values, dict):
            return _invalid(within, _expected(Title("字段的表", "an object of fields"), values, quote=False))
        if within and len(raw) > FIELD_BYTES_MAX:
            return _too_many_bytes(within, len(raw))
        return next(_judge_all(fields, values, within, required=required), None)
    except (ValueError, RecursionError):
        return None


def _too_many_bytes(path: str, size: int) -> InvalidField:
    """A field past its 64 KiB."""
    reason = Title(
        f"编码后最多 {FIELD_BYTES_MAX} 字节，收到 {size} 字节",
        f"at most {FIELD_BYTES_MAX} bytes encoded, got {size}",
    )
    return InvalidField(path, reason, "too_long")


def unknown(name: str, known: Mapping[str, Field], within: str = "") -> InvalidField:
    """A field that the kind does not have, or that no change may set."""
    name = "".join(char if char.isprintable() else "?" for char in name[:_NAME_SHOWN_CHARS])
    hint = did_you_mean(name, known)
    reason = Title(f"没有此字段；{hint.zh}", f"there is no such field. {hint.en}")
    if name in RESERVED_NAMES and not within:
        reason = Title(
            "不是可填写的字段；状态通过办理动作改变",
            "it is not among the fields; place and state of a record change by moves and actions",
        )
    path = f"{within}/{name}" if within else name
    return InvalidField(path, reason, "unknown_field")


def _whole(digits: str) -> int | float:
    """A whole number; past a few hundred digits any number will do, since none is in range."""
    return int(digits) if len(digits) < _DIGITS_MAX else float("inf")


def _unreadable(error: Exception, within: str) -> InvalidField:
    """Nobody can read it; the quick check's own words may at least name the field."""
    match = _PATH.search(str(error))
    field = within or (match.group(1) if match else "")
    return _invalid(
        field,
        Title(
            "无法读取：不是有效的 JSON、嵌套过深或键重复",
            "it cannot be read: not JSON in UTF-8, nested too deeply, or a key stands twice",
        ),
    )


def _judge_all(
    fields: Mapping[str, Field], values: dict[str, Any], within: str, *, required: bool
) -> Iterator[InvalidField]:
    """Everything wrong with the values, unknown fields first."""
    for name in values:
        if name not in fields:
            yield unknown(name, fields, within)
    for name, value in values.items():
        path = f"{within}/{name}" if within else name
        yield from _judge(fields[name], value, path, required=required)
    for name, field in fields.items():
        if required and field.required and name not in values:
            path = f"{within}/{name}" if within else name
            yield _missing(path)


def _judge(field: Field, value: Any, path: str, *, required: bool) -> Iterator[InvalidField]:
    """What is wrong with one value."""
    if value is None:
        if field.required:
            yield _missing(path)
        return
    if field.type == "entries" and isinstance(value, dict):
        yield from _judge_entries(field, value, path, required=required)
    elif _has_bad_text(value):
        yield _invalid(
            path,
            Title(
                "含有 NUL 或不成对的代理码位", "it holds a NUL, a lone surrogate or bytes that are not UTF-8"
            ),
        )
    elif field.type == "text" and isinstance(value, str):
        yield from _judge_text(field, value, path)
    elif field.type in {"choice", "choices"}:
        yield from _judge_codes(field, value, path)
    elif not _fits(field, value):
        yield _invalid(path, _expected(_expectation(field), value, quote=_public(field)))
    size = len(msgspec.json.encode(value))
    if size > FIELD_BYTES_MAX:
        yield _too_many_bytes(path, size)


def _judge_text(field: Field, value: str, path: str) -> Iterator[InvalidField]:
    """Length of a text."""
    most = field.max_length or TEXT_CHARS_DEFAULT
    if field.required and not value:
        yield _missing(path)
    if len(value) > most:
        reason = Title(
            f"最多 {most} 字，收到 {len(value)} 字", f"at most {most} characters, got {len(value)}"
        )
        yield InvalidField(path, reason, "too_long")


def _judge_codes(field: Field, value: Any, path: str) -> Iterator[InvalidField]:
    """One code, or a list of them."""
    if field.type == "choices" and not isinstance(value, list):
        yield _invalid(path, _expected(_EXPECTED["choices"], value, quote=_public(field)))
        return
    known = [choice.code for choice in field.choices]
    listed = ", ".join(known[:_CODES_SHOWN]) + (", …" if len(known) > _CODES_SHOWN else "")
    expected = Title(f"以下代码之一：{listed}", f"one of the codes {listed}")
    for code in value if field.type == "choices" else [value]:
        if code not in known:
            yield _invalid(path, _expected(expected, code, quote=_public(field)))


def _judge_entries(
    field: Field, value: dict[str, Any], path: str, *, required: bool
) -> Iterator[InvalidField]:
    """Number, ids and sub-fields of entries."""
    if len(value) > ENTRIES_MAX:
        reason = Title(
            f"最多 {ENTRIES_MAX} 条，收到 {len(value)} 条", f"at most {ENTRIES_MAX} entries, got {len(value)}"
        )
        yield InvalidField(path, reason, "too_many_entries")
    subs = {sub.name: sub for sub in field.of}
    for entry, values in value.items():
        if not _ID.match(entry):
            expected = Title("条目编号（小写 UUID）", "an entry id, a UUID in small letters")
            yield _invalid(path, _expected(expected, entry, quote=False))
        elif not isinstance(values, dict):
            yield _invalid(
                f"{path}/{entry}",
                _expected(Title("子字段的表", "an object of sub-fields"), values, quote=_public(field)),
            )
        else:
            yield from _judge_all(subs, values, f"{path}/{entry}", required=required)


def _fits(field: Field, value: Any) -> bool:
    """Whether a single value is of its type and within its limits."""
    try:
        CANONICAL.get(field.type, id)(msgspec.convert(value, wire_type(field)))
    except (ValueError, OverflowError):
        return False
    return True


def _has_bad_text(value: Any) -> bool:
    """Whether any text in `value`, keys included, holds NUL or what UTF-8 cannot say."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return True
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_bad_text(key) or _has_bad_text(part) for key, part in value.items())
    return isinstance(value, list) and any(_has_bad_text(part) for part in value)


def _expectation(field: Field) -> Title:
    """What a field takes, limits included."""
    if field.type in {"integer", "number"}:
        low, high = bounds(field)
        unit = f" {field.unit}" if field.unit else ""
        what = Title("整数", "a whole number") if field.type == "integer" else Title("数字", "a number")
        return Title(f"{low} 到 {high}{unit} 的{what.zh}", f"{what.en} from {low} to {high}{unit}")
    return _EXPECTED[field.type]


def _public(field: Field) -> bool:
    """Whether a value of the field may stand in a reason, which logs and lists show."""
    return field.privacy == "plain"


def _expected(expected: Title, value: Any, *, quote: bool) -> Title:
    """Expected this, got that."""
    zh, en = _came(value, quote=quote)
    return Title(f"应为{expected.zh}，收到{zh}", f"expected {expected.en}, got {en}")


def _came(value: Any, *, quote: bool) -> tuple[str, str]:
    """What came, without quoting a text that somebody wrote, or anything of a field that is not plain."""
    match value:
        case str() if quote and _QUOTABLE.fullmatch(value):
            return f" {value}", value
        case str():
            return f" {len(value)} 字的文字", f"a text of {len(value)} characters"
        case bool() | int() | float() if not quote:
            return "一个数或真假值", "a number or a boolean"
        case bool() | int() | float() | None:
            text = json.dumps(value)
            return f" {text[:_NAME_SHOWN_CHARS]}", text[:_NAME_SHOWN_CHARS]
        case list():
            return f" {len(value)} 项的列表", f"a list of {len(value)}"
        case _:
            return "一个表", "an object"


def _missing(path: str) -> InvalidField:
    """A required field that is not there, is empty, or is to be cleared."""
    return InvalidField(path, Title("必填，不能为空", "it is required and cannot be empty"), "missing_field")


def _invalid(path: str, reason: Title) -> InvalidField:
    """A value of the wrong type, or out of range."""
    return InvalidField(path, reason, "invalid_field")
