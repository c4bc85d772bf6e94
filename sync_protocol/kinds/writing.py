"""A declaration as bytes: JSON to travel to devices and into the database, TOML for people."""

import json
from typing import Any, Final

import msgspec

from sync_protocol.kinds.declaration import STATE_FIELD, Field, Kind, Workflow

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Kind).decode


def to_json(kind: Kind) -> bytes:
    """The whole declaration, code tables resolved: equal kinds give equal bytes."""
    return _encode(kind)


def from_json(raw: bytes) -> Kind:
    """The kind that `to_json` wrote. Raises msgspec.DecodeError when it is something else.

    Keys that this version does not know are passed over, so that an older device reads newer kinds.
    """
    return _decode(raw)


def dump(kind: Kind) -> str:
    """The declaration as TOML: `parse` reads an equal kind from it."""
    head: dict[str, Any] = {"name": kind.name, "version": kind.version, "title": kind.title}
    if kind.keep_days is not None:
        head["keep_days"] = kind.keep_days
    if kind.retain_days is not None:
        head["retain_days"] = kind.retain_days
    if kind.roles:
        head["roles"] = kind.roles
    parts = [_table("kind", head)]
    for field in kind.fields.values():
        if field.name != STATE_FIELD:
            parts += _field("fields", field)
    if kind.workflow is not None:
        parts += _workflow(kind.workflow)
    return "\n".join(parts)


def _field(above: str, field: Field) -> list[str]:
    """The table of one field, and those of its sub-fields."""
    key = f"{above}.{field.name}"
    rows: dict[str, Any] = {
        "type": field.type,
        "merge": field.merge,
        "privacy": field.privacy,
        "title": field.title,
    }
    if field.required:
        rows["required"] = True
    for name in ("max_length", "minimum", "maximum", "unit", "codes"):
        if getattr(field, name) is not None:
            rows[name] = getattr(field, name)
    if field.choices and field.codes is None:
        rows["choices"] = field.choices
    if field.of_kind is not None:
        rows["of"] = field.of_kind
    parts = [_table(key, rows)]
    for sub in field.of:
        parts += _field(f"{key}.of", sub)
    return parts


def _workflow(workflow: Workflow) -> list[str]:
    """The tables of a workflow."""
    parts = [_table("workflow", {"initial": workflow.initial})]
    for state in workflow.states:
        flags = {name: True for name in ("numbered", "closed") if getattr(state, name)}
        parts.append(_table(f"workflow.states.{state.name}", {"title": state.title, **flags}))
    for transition in workflow.transitions:
        rows = {
            "title": transition.title,
            "from": transition.from_,
            "to": transition.to,
            "roles": transition.roles,
            "needs": transition.needs,
        }
        parts.append(_table(f"workflow.transitions.{transition.name}", rows))
    return parts


def _table(key: str, rows: dict[str, Any]) -> str:
    """A header and its keys."""
    body = "".join(f"{name} = {_value(value)}\n" for name, value in rows.items())
    return f"[{key}]\n{body}"


def _value(value: Any) -> str:
    """One value as TOML. Its basic strings escape as JSON's do, and DEL besides."""
    if isinstance(value, msgspec.Struct):
        inner = ", ".join(f"{name} = {_value(part)}" for name, part in msgspec.structs.asdict(value).items())
        return f"{{ {inner} }}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
