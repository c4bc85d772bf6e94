"""What an edit of a snapshot says, checked against the kind. Pure: nothing is saved here.

Every function gives the `Parts` of a change, or None when nothing would change. Only what differs from the
snapshot goes into them: sets become additions and removals, sums become increments. Raises InvalidRecord,
with field and reason, for what the kind does not allow.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import msgspec

from client_sdk.points import Point, wgs84
from client_sdk.record import Record
from sync_protocol.case import equal
from sync_protocol.changes import Act, Add, Change, Drop, Increment, Op, Put, Remove, encode
from sync_protocol.errors import InvalidRecord
from sync_protocol.kinds import Field, InvalidField, Kind, shape, to_wire
from sync_protocol.kinds.declaration import ENTRIES_MAX
from sync_protocol.limits import DEFAULTS
from sync_protocol.overlay import Cause, Parts
from sync_protocol.state import encode_values

INCREMENT_MAX = 2**31
"""What the server takes in one step (docs/protocol.md, section 6)."""
NewId = Callable[[], str]
Result = TypeVar("Result")
Given = ParamSpec("Given")


def create(kind: Kind, role: str, values: Mapping[str, Any], place: str, new_id: NewId) -> Parts:
    """A new record. Lists of entries may be given as lists of mappings; they get their ids here."""
    if kind.roles and role not in kind.roles:
        raise InvalidRecord("kind", f"{role} 不能新建 {kind.title.zh} / {role} does not create {kind.name}")
    body = _checked(shape(kind).check_create, _checked(to_wire, _given(kind, values, new_id)))
    return Parts("create", msgspec.json.decode(body), place=place)


def update(kind: Kind, record: Record, values: Mapping[str, Any], new_id: NewId) -> Parts | None:
    """Single values and sets, by difference to the snapshot; None clears."""
    given = _given(kind, values, new_id)
    fields: dict[str, Any] = {}
    ops: list[Op] = []
    for name, value in given.items():
        declared = _declared(kind, name)
        if declared.merge == "entries":
            raise InvalidRecord(
                name,
                "请用 append、edit_entry、remove_entry / entries: use append, edit_entry or remove_entry",
            )
        if declared.merge == "sum":
            ops += _by_difference(kind, declared, record, value)
            continue
        checked = _checked(shape(kind).check_values, _checked(to_wire, {name: value}))[name]
        if declared.merge == "union":
            ops += _members(name, record.values.get(name) or [], checked or [])
        elif _differs(declared, checked, record.values.get(name)):
            fields[name] = checked
    return Parts(fields=fields, ops=tuple(ops)) if fields or ops else None


def append(kind: Kind, record: Record, field: str, values: Mapping[str, Any], entry: str) -> Parts:
    """A new entry of a list, under the id `entry`."""
    if len(record.values.get(field) or ()) >= ENTRIES_MAX:
        raise InvalidRecord(field, f"最多 {ENTRIES_MAX} 条 / at most {ENTRIES_MAX} entries")
    checked = _entry(kind, field, values, partial=False)
    return Parts(ops=(Put(field, entry, msgspec.Raw(encode_values(checked))),))


def edit_entry(kind: Kind, record: Record, field: str, entry: str, values: Mapping[str, Any]) -> Parts | None:
    """Sub-fields of an entry, by difference to the snapshot; None clears."""
    standing = (record.values.get(field) or {}).get(entry)
    if standing is None:
        raise InvalidRecord(field, f"没有这一条 / there is no entry {entry}")
    checked = _entry(kind, field, values, partial=True)
    changed = {name: value for name, value in checked.items() if not equal(value, standing.get(name))}
    return Parts(ops=(Put(field, entry, msgspec.Raw(encode_values(changed))),)) if changed else None


def remove_entry(kind: Kind, record: Record, field: str, entry: str) -> Parts | None:
    """An entry goes."""
    if _declared(kind, field).merge != "entries":
        raise InvalidRecord(field, "不是条目列表 / it is not a list of entries")
    return Parts(ops=(Drop(field, entry),)) if entry in (record.values.get(field) or {}) else None


def add(kind: Kind, record: Record, field: str, members: tuple[str, ...]) -> Parts | None:
    """Members join a set."""
    standing = record.values.get(field) or []
    checked = [_checked(shape(kind).check_element, field, member) for member in members]
    ops = tuple(Add(field, member) for member in dict.fromkeys(checked) if member not in standing)
    return Parts(ops=ops) if ops else None


def discard(kind: Kind, record: Record, field: str, members: tuple[str, ...]) -> Parts | None:
    """Members leave a set."""
    standing = record.values.get(field) or []
    checked = [_checked(shape(kind).check_element, field, member) for member in members]
    ops = tuple(Remove(field, member) for member in dict.fromkeys(checked) if member in standing)
    return Parts(ops=ops) if ops else None


def increment(kind: Kind, field: str, by: float) -> Parts | None:
    """A sum grows by `by`, or shrinks."""
    checked = _checked(shape(kind).check_increment, field, by)
    if abs(checked) > INCREMENT_MAX:
        raise InvalidRecord(field, "增量应在 ±2^31 以内 / an increment lies within ±2^31")
    return Parts(ops=(Increment(field, checked),)) if checked else None


def act(
    kind: Kind,
    record: Record,
    role: str,
    action: str,
    note: str | None,
    reason: str | None,
    values: Parts | None,
) -> Parts:
    """A step of the workflow, with the values that are changed in the same save."""
    _check_said("note", note)
    _check_said("reason", reason)
    state = record.state or ""
    step = kind.workflow.transition(action, state) if kind.workflow is not None else None
    if step is None or role not in step.roles:
        open_now = ", ".join(actions(kind, record, role)) or "-"
        raise InvalidRecord(
            "state",
            f"当前状态不能这样操作 / {action} is not open to {role} in state {state or '-'}; open: {open_now}",
        )
    there = {name for name, value in record.values.items() if value not in (None, [], {})}
    there |= {word for word, said in (("note", note), ("reason", reason)) if said}
    if values is not None:
        there |= {*values.fields, *(op.field for op in values.ops)}
    missing = step.missing(there)
    if missing:
        raise InvalidRecord(missing[0], f"{step.title.zh}前必须填写 / {action} needs it")
    made = Act(action, state, step.to, note)
    return msgspec.structs.replace(values or Parts(), act=made)


def actions(kind: Kind, record: Record, role: str) -> dict[str, Any]:
    """The steps that are open to `role` now, by name."""
    if kind.workflow is None or record.state is None:
        return {}
    return {step.name: step for step in kind.workflow.actions(record.state, role)}


def returned(kind: Kind, state: str | None, role: str) -> bool:
    """Whether the ball is with the worker: not a first state, yet open to the step that the first one has."""
    workflow = kind.workflow
    if workflow is None or state is None or state == workflow.initial:
        return False
    return any(workflow.initial in step.from_ for step in workflow.actions(state, role))


def change_of(
    parts: Parts,
    cause: Cause,
    kind: Kind,
    record: str,
    *,
    id_: str,
    at_ms: int,
    mark_ms: int,
    since_ms: int | None,
    reason: str | None,
) -> Change:
    """The change that says `parts`, made on what `cause` tells."""
    change = Change(
        id=id_,
        record=record,
        kind=kind.name,
        version=kind.version,
        n=0,
        at=at_ms,
        do=parts.do,
        mark=mark_ms,
        since=since_ms,
        base=cause.base,
        bases=cause.bases,
        on=cause.on,
        after=cause.after,
        place=parts.place,
        fields=msgspec.Raw(encode_values(parts.fields)),
        ops=parts.ops,
        act=parts.act,
        reason=reason,
    )
    size = len(encode(change))
    if size > DEFAULTS.record_bytes_max:
        raise InvalidRecord(
            "record",
            f"内容过大 / {size} bytes in one save, at most {DEFAULTS.record_bytes_max}: save it in parts",
        )
    return change


def _check_said(name: str, said: str | None) -> None:
    """What is said about a step is a text that can travel: refused here, it would only wait in quarantine."""
    if said is None:
        return
    if not isinstance(said, str):
        raise InvalidRecord(name, "应为文字 / it is a text")
    if "\0" in said or any("\ud800" <= character <= "\udfff" for character in said):
        raise InvalidRecord(
            name, "含有不能保存的字符 / it holds a character that is no text: NUL, half a pair"
        )


def _given(kind: Kind, values: Mapping[str, Any], new_id: NewId) -> dict[str, Any]:
    """Values as the wire takes them: points in WGS-84, entries by id."""
    given: dict[str, Any] = {}
    for name, value in values.items():
        declared = kind.fields.get(name)
        given[name] = value
        if declared is None:
            continue
        if declared.type == "point" and isinstance(value, Point | Mapping):
            given[name] = wgs84(name, value)
        if declared.type == "entries" and isinstance(value, list | tuple):
            given[name] = {new_id(): one for one in value}
    return given


def _declared(kind: Kind, name: str) -> Field:
    declared = kind.fields.get(name)
    if declared is None:
        raise InvalidRecord(name, f"没有这个栏目 / {kind.name} has no such field")
    if declared.merge == "workflow":
        raise InvalidRecord(name, "请用 act / the state changes by act()")
    return declared


def _entry(kind: Kind, field: str, values: Mapping[str, Any], *, partial: bool) -> dict[str, Any]:
    subs = {sub.name: sub for sub in _declared(kind, field).of}
    given = {
        name: wgs84(name, value)
        if name in subs and subs[name].type == "point" and isinstance(value, Point | Mapping)
        else value
        for name, value in values.items()
    }
    return _checked(shape(kind).check_entry, field, _checked(to_wire, given), partial=partial)


def _differs(declared: Field, value: Any, standing: Any) -> bool:
    """Whether a value would change what is shown; one that a greatest or least value outdoes would not."""
    if declared.merge in {"max", "min"} and value is not None and standing is not None:
        key = dt.datetime.fromisoformat if declared.type == "datetime" else None
        value = (max if declared.merge == "max" else min)(standing, value, key=key)
    return not equal(value, standing)


def _members(field: str, standing: list[str], wanted: list[str]) -> list[Op]:
    """How a set becomes another."""
    added: list[Op] = [Add(field, member) for member in wanted if member not in standing]
    return added + [Remove(field, member) for member in standing if member not in wanted]


def _by_difference(kind: Kind, declared: Field, record: Record, value: Any) -> list[Op]:
    """How a sum becomes another; only for whole numbers, where a difference is exact."""
    standing = record.values.get(declared.name) or 0
    if declared.type != "integer" or not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRecord(declared.name, "请用 increment / a sum: use increment()")
    parts = increment(kind, declared.name, value - standing)
    return list(parts.ops) if parts is not None else []


def _checked(check: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result:
    """The result of a check, its refusal in the words of the SDK."""
    try:
        return check(*given, **named)
    except InvalidField as error:
        where = error.path or error.field or "fields"
        raise InvalidRecord(where, f"{error.reason_zh} / {error.reason_en}") from error
