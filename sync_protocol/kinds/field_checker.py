"""Reads the fields of a kind, the sub-fields of entries, and lists of choices."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, cast

from sync_protocol.kinds.declaration import (
    ENTRIES_MAX,
    FIELD_TYPES,
    FIELDS_MAX,
    INTEGER_MAX,
    PRIVACY_CLASSES,
    RESERVED_ENTRY_NAMES,
    RULES,
    TEXT_CHARS_MAX,
    Choice,
    CodeTable,
    Field,
    FieldType,
    Privacy,
    Rule,
    Title,
)
from sync_protocol.kinds.person_data import WHY, forbidden_choice, forbidden_name
from sync_protocol.kinds.reading import Reader, did_you_mean, shown

NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")
_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,40}")
_SINGLE: Final = frozenset({"latest", "review"})
RULES_OF: Final[Mapping[str, frozenset[str]]] = {
    "text": _SINGLE | {"text"},
    "integer": _SINGLE | {"sum", "max", "min"},
    "number": _SINGLE | {"max", "min"},  # sums of fractions depend on the order of arrival
    "boolean": _SINGLE,
    "date": _SINGLE | {"max", "min"},
    "datetime": _SINGLE | {"max", "min"},
    "choice": _SINGLE,
    "choices": _SINGLE | {"union"},
    "entries": frozenset({"entries"}),
    "point": _SINGLE,
    "reference": _SINGLE,
    "file": _SINGLE,
}
"""Which merge rules fit a type. `workflow` fits none: only the field `state` has it."""
_ENTRY_RULES: Final = _SINGLE | {"text"}
"""Rules of sub-fields: an entry has no members to add and no sums to increment."""
_KEYS: Final = ("type", "merge", "privacy", "title", "required", "max_length", "minimum", "maximum", "unit")
_KEYS_OF_SOME: Final = ("choices", "codes", "of")
_ONLY_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "max_length": ("text",),
    "minimum": ("integer", "number"),
    "maximum": ("integer", "number"),
    "unit": ("integer", "number"),
    "choices": ("choice", "choices"),
    "codes": ("choice", "choices"),
    "of": ("entries", "reference"),
}


def read_fields(
    reader: Reader,
    key: str,
    tables: Mapping[str, CodeTable],
    reserved: Collection[str],
    *,
    nested: bool = False,
) -> dict[str, Field]:
    """The fields in the table `key`, in the order of the file; `nested` for the sub-fields of entries."""
    fields: dict[str, Field] = {}
    for name, table in reader.tables(key, needed=True):
        check_name(table, "", name, reserved)
        fields[name] = _read_field(table, name, tables, nested=nested)
    if isinstance(reader.table.get(key), dict):
        check_count(reader, key, len(fields), FIELDS_MAX)
    return fields


def check_name(reader: Reader, key: str, name: str, reserved: Collection[str]) -> None:
    """A name is two to 41 small letters, digits and underscores, and not one that is in use."""
    if not NAME.fullmatch(name):
        reader.add(
            key,
            Title(f"名称 {shown(name)} 不合规则", f"{shown(name)} is not a name"),
            Title(
                "请用 2 到 41 个小写字母、数字或下划线，以字母开头",
                "Write 2 to 41 small letters, digits or underscores, a letter first",
            ),
        )
    if name in reserved:
        reader.add(
            key,
            Title(f"名称 {name} 由系统使用", f"the name {name} is used by the system itself"),
            Title(
                "请换一个名称，如加上所指的事物",
                f"Choose another name that says of what, such as {name}_of_well",
            ),
        )


def check_count(reader: Reader, key: str, count: int, most: int) -> None:
    """At least one, and no more than `most`."""
    if not 1 <= count <= most:
        reader.add(
            key,
            Title(f"有 {count} 项", f"there are {count}"),
            Title(f"请写 1 到 {most} 项", f"Write 1 to {most}"),
        )


def read_choices(reader: Reader, key: str) -> tuple[Choice, ...]:
    """A list of { code, zh, en }; codes do not repeat."""
    rows = reader.items(key)
    choices: list[Choice] = []
    for row in rows:
        row.only(("code", "zh", "en"))
        choice = Choice(row.text("code"), row.text("zh"), row.text("en"))
        _check_choice(row, choice, {other.code for other in choices})
        choices.append(choice)
    check_count(reader, key, len(choices), ENTRIES_MAX)
    return tuple(choices)


def _check_choice(row: Reader, choice: Choice, before: Collection[str]) -> None:
    """The code of one choice, and what its words say."""
    if choice.code and not _CODE.fullmatch(choice.code):
        row.add(
            "code",
            Title(f"代码 {shown(choice.code)} 不合规则", f"{shown(choice.code)} is not a code"),
            Title("请用 1 到 40 个字母、数字或下划线", "Write 1 to 40 letters, digits or underscores"),
        )
    if choice.code in before:
        row.add(
            "code",
            Title(f"代码 {choice.code} 重复", f"the code {choice.code} stands twice"),
            Title("每个代码只写一次", "Give each choice a code of its own"),
        )
    refuse_person_data(row, "zh", Title(choice.zh, choice.en))


def refuse_person_data(reader: Reader, key: str, said: Title) -> None:
    """What one choice, state or step says of persons instead of matters."""
    forbidden = forbidden_choice(said)
    if forbidden is not None:
        what = forbidden.what
        reader.add(key, Title(f"该项涉及{what.zh}", f"this is about {what.en}"), WHY)


def _read_field(reader: Reader, name: str, tables: Mapping[str, CodeTable], *, nested: bool) -> Field:
    """One field."""
    reader.only((*_KEYS, *_KEYS_OF_SOME))
    type_ = reader.one_of("type", FIELD_TYPES, default="")
    title = reader.title("title")
    merge = _read_rule(reader, type_, nested=nested)
    privacy = reader.one_of("privacy", PRIVACY_CLASSES, default="plain")
    _refuse_person_data(reader, name, title)
    _refuse_keys_of_other_types(reader, type_)
    codes = reader.text("codes", needed=False) or None
    return Field(
        name=name,
        type=cast("FieldType", type_),
        title=title,
        merge=cast("Rule", merge),
        privacy=cast("Privacy", privacy),
        required=_read_required(reader, merge),
        max_length=reader.integer("max_length", 1, TEXT_CHARS_MAX),
        **_read_bounds(reader, type_, merge),
        unit=reader.text("unit", needed=False) or None,
        choices=_read_choices_of(reader, type_, codes, tables),
        codes=codes,
        of=_read_sub_fields(reader, type_, tables, nested=nested),
        of_kind=_read_of_kind(reader, type_),
    )


def _read_rule(reader: Reader, type_: str, *, nested: bool) -> str:
    """The merge rule, which has to fit the type; a sub-field may leave it out."""
    merge = reader.one_of("merge", RULES, needed=not nested, default="latest" if nested else "")
    fitting = RULES_OF.get(type_, frozenset(RULES))
    if nested:
        fitting &= _ENTRY_RULES
    if merge and fitting and merge not in fitting:
        listed = ", ".join(rule for rule in RULES if rule in fitting)
        reader.add(
            "merge",
            Title(f"规则 {merge} 不适用于 {type_}", f"the rule {merge} does not fit the type {type_}"),
            Title(f"可用：{listed}", f"Write one of: {listed}"),
        )
    return merge


def _read_required(reader: Reader, merge: str) -> bool:
    """Whether the field is required; what others may empty or count up cannot be."""
    required = reader.flag("required")
    if required and merge in {"union", "entries"}:
        reader.add(
            "required",
            Title(f"规则为 {merge} 的列表可被清空，不能必填", f"a list of rule {merge} may become empty"),
            Title("请删去 required", "Drop required"),
        )
    return required


def _refuse_bounds(reader: Reader, bounds: Mapping[str, Any]) -> None:
    """Whoever adds does not know the total, so no limit of it can be kept (docs/decisions/sums-are-integers.md)."""
    for key, value in bounds.items():
        if value is not None:
            reader.add(
                key,
                Title("累加的栏目不能有上下限", "a sum has no limits, because increments cannot keep them"),
                Title(f"请删去 {key}", f"Drop {key}"),
            )


def _read_bounds(reader: Reader, type_: str, merge: str) -> dict[str, Any]:
    """`minimum` and `maximum` of a number, of the field's own type; a sum has none."""
    bounds: dict[str, Any] = {key: reader.number(key) for key in ("minimum", "maximum")}
    if merge == "sum":
        _refuse_bounds(reader, bounds)
    for key, value in bounds.items():
        if value is None:
            continue
        if not abs(value) <= INTEGER_MAX or (type_ == "integer" and value != int(value)):
            reader.add(
                key,
                Title(f"{shown(value)} 不能用作界限", f"{shown(value)} cannot be a limit"),
                Title("请写 ±2^53 以内、与类型相符的数", "Write a number of the field's type within ±2^53"),
            )
        else:
            bounds[key] = int(value) if type_ == "integer" else float(value)
    low, high = bounds["minimum"], bounds["maximum"]
    if low is not None and high is not None and low > high:
        reader.add(
            "minimum",
            Title(f"下限 {low} 大于上限 {high}", f"the minimum {low} is above the maximum {high}"),
            Title("请对调或改正", "Swap or correct them"),
        )
    return bounds


def _read_choices_of(
    reader: Reader, type_: str, codes: str | None, tables: Mapping[str, CodeTable]
) -> tuple[Choice, ...]:
    """The choices of a field: its own, or those of the code table that it names."""
    if type_ not in {"choice", "choices"}:
        return ()
    if ("choices" in reader.table) == ("codes" in reader.table):
        reader.add(
            "choices",
            Title("选项须写且只写一处", "choices stand in exactly one place"),
            Title(
                '请写 choices = [{ code = "…", zh = "…", en = "…" }]，或 codes = "代码表"',
                'Write choices = [{ code = "…", zh = "…", en = "…" }], or codes = "name of a code table"',
            ),
        )
        return ()
    if codes is None:
        return read_choices(reader, "choices")
    if codes not in tables:
        problem = Title(f"没有代码表 {shown(codes)}", f"there is no code table {shown(codes)}")
        reader.add("codes", problem, did_you_mean(codes, tables))
        return ()
    return tables[codes].codes


def _read_sub_fields(
    reader: Reader, type_: str, tables: Mapping[str, CodeTable], *, nested: bool
) -> tuple[Field, ...]:
    """The sub-fields of entries, which have no entries themselves."""
    if type_ != "entries":
        return ()
    if nested:
        reader.add(
            "type",
            Title("条目之内不能再有条目", "entries cannot hold entries"),
            Title("请移到记录一级，用 reference 指回", "Make it a field of the kind itself"),
        )
        return ()
    return tuple(read_fields(reader, "of", tables, RESERVED_ENTRY_NAMES, nested=True).values())


def _read_of_kind(reader: Reader, type_: str) -> str | None:
    """The kind that a reference points to."""
    if type_ != "reference":
        return None
    name = reader.text("of")
    if name:
        check_name(reader, "of", name, ())
    return name


def _refuse_person_data(reader: Reader, name: str, title: Title) -> None:
    """Fields about persons instead of matters."""
    forbidden = forbidden_name(name, title)
    if forbidden is not None:
        what = forbidden.what
        reader.add("", Title(f"字段 {name} 涉及{what.zh}", f"the field {name} would hold {what.en}"), WHY)


def _refuse_keys_of_other_types(reader: Reader, type_: str) -> None:
    """Keys that mean something for another type only."""
    for key, types in _ONLY_FOR.items():
        if type_ and key in reader.table and type_ not in types:
            listed = ", ".join(types)
            reader.add(
                key,
                Title(f"{key} 不适用于 {type_}", f"{key} means nothing for the type {type_}"),
                Title(f"请删去；它只用于 {listed}", f"Drop it; it belongs to {listed}"),
            )
