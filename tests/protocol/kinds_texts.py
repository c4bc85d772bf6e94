"""Declarations for the tests of kinds, and what comes of changed declarations and wrong values."""

import json
from typing import Any

import msgspec
import pytest

from sync_protocol.kinds import Finding, InvalidField, Kind, KindError, Shape, parse, shape

WELL = """\
[kind]
name = "well_check"
version = 1
title = { zh = "水井检查", en = "Well check" }

[fields.depth]
type = "number"
merge = "latest"
privacy = "plain"
title = { zh = "水深", en = "Depth" }
required = false
minimum = 0.0
unit = "m"

[fields.colour]
type = "choice"
merge = "latest"
privacy = "plain"
title = { zh = "颜色", en = "Colour" }
choices = [
    { code = "clear", zh = "清", en = "Clear" },
    { code = "brown", zh = "浑", en = "Brown" },
]

[fields.repairs]
type = "entries"
merge = "entries"
privacy = "narrative"
title = { zh = "维修", en = "Repairs" }

[fields.repairs.of.text]
type = "text"
privacy = "narrative"
title = { zh = "内容", en = "Text" }
max_length = 300
"""

FLOW = (
    WELL
    + """
[workflow]
initial = "open"

[workflow.states.open]
title = { zh = "待办", en = "Open" }

[workflow.states.done]
title = { zh = "已办", en = "Done" }
numbered = true
closed = true

[workflow.transitions.finish]
title = { zh = "完成", en = "Finish" }
from = ["open"]
to = "done"
roles = ["grid_worker", "clerk"]
needs = ["repairs | reason", "depth"]
"""
)


def findings(text: str) -> tuple[Finding, ...]:
    with pytest.raises(KindError) as caught:
        parse(text, "well.toml")
    return caught.value.findings


def only(text: str) -> Finding:
    found = findings(text)
    assert len(found) == 1, [str(finding) for finding in found]
    return found[0]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


# --- one kind with every type

ID = "01900000-0000-7000-8000-00000000000{}"
TITLE = 'title = { zh = "某", en = "X" }'


def field(name: str, type_: str, merge: str = "latest", extra: str = "") -> str:
    return f'[fields.{name}]\ntype = "{type_}"\nmerge = "{merge}"\nprivacy = "plain"\n{TITLE}\n{extra}\n'


CODES = 'choices = [{ code = "b", zh = "乙", en = "B" }, { code = "a", zh = "甲", en = "A" }]'
SUBS = f"""
[fields.rows.of.words]
type = "text"
privacy = "narrative"
required = true
{TITLE}
[fields.rows.of.at]
type = "datetime"
privacy = "plain"
{TITLE}
[fields.rows.of.cost]
type = "number"
privacy = "plain"
{TITLE}
"""
ALL = f'[kind]\nname = "all_types"\nversion = 1\n{TITLE}\n' + "".join(
    (
        field("needed", "text", extra="required = true\nmax_length = 5"),
        field("words", "text"),
        field("whole", "integer", extra="minimum = -5\nmaximum = 1000"),
        field("big", "integer"),
        field("real", "number"),
        field("depth", "number", extra='minimum = 0.5\nunit = "m"'),
        field("yes", "boolean"),
        field("day", "date"),
        field("moment", "datetime"),
        field("one", "choice", extra=CODES),
        field("some", "choices", "union", CODES),
        field("count", "integer", "sum"),
        field("total", "number", "max"),
        field("spot", "point"),
        field("other", "reference", extra='of = "matter"'),
        field("paper", "file"),
        field("rows", "entries", "entries", SUBS),
    )
)


def kind() -> Kind:
    return parse(ALL, "all.toml")


def of_all() -> Shape:
    return shape(kind())


def create(**fields: Any) -> dict[str, Any]:
    """What a create with these fields (and the required one) is stored as."""
    raw = msgspec.json.encode({"needed": "x", **fields})
    stored: dict[str, Any] = json.loads(of_all().check_create(raw))
    del stored["needed"]
    return stored


def refused(raw: bytes) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        of_all().check_create(raw)
    return caught.value


def refused_field(name: str, json_value: bytes) -> InvalidField:
    """The same answer is given for a create and for an edit."""
    error = refused(b'{"needed":"x","%s":%s}' % (name.encode(), json_value))
    with pytest.raises(InvalidField) as caught:
        of_all().check_values(b'{"%s":%s}' % (name.encode(), json_value))
    assert (caught.value.path, caught.value.code, caught.value.reason) == (
        error.path,
        error.code,
        error.reason,
    )
    return error
