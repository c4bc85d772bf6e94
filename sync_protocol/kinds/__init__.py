"""Kinds: what a record is made of, declared as data; checked, validated, shipped.

parse(toml_text, origin)        Kind, or KindError with every finding
compare(old, new)               what a new version must not change
shape(kind).check_create(raw)   canonical bytes of a new record's fields, or InvalidField
shipped(), code_tables()        what comes with Roundbook
"""

from sync_protocol.kinds.catalogue import shipped
from sync_protocol.kinds.checker import parse
from sync_protocol.kinds.declaration import (
    Choice,
    CodeTable,
    Field,
    Kind,
    State,
    Title,
    Transition,
    Workflow,
)
from sync_protocol.kinds.findings import Finding, InvalidField, KindError
from sync_protocol.kinds.shapes import Shape, shape
from sync_protocol.kinds.tables import code_tables, parse_table
from sync_protocol.kinds.versions import compare
from sync_protocol.kinds.wire_values import to_wire
from sync_protocol.kinds.writing import dump, from_json, to_json

__all__ = [
    "Choice",
    "CodeTable",
    "Field",
    "Finding",
    "InvalidField",
    "Kind",
    "KindError",
    "Shape",
    "State",
    "Title",
    "Transition",
    "Workflow",
    "code_tables",
    "compare",
    "dump",
    "from_json",
    "parse",
    "parse_table",
    "shape",
    "shipped",
    "to_json",
    "to_wire",
]
