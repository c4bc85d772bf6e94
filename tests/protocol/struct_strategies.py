"""Hypothesis strategies for msgspec structs, read off their types, so that a new field is tested by itself."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from sync_protocol.kinds import Kind
from tests.protocol.kinds_for_tests import NOTE, SHEET

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)


def structs(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of a struct. Raw parts are JSON objects, kinds are those of the tests."""
    return _of(inspect.type_info(cls))


def _of(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.StructType(cls=cls) if cls is Kind:
            return st.sampled_from([SHEET, NOTE])
        case inspect.StructType():
            return _struct(info)
        case inspect.UnionType(types=types):
            return st.one_of(*map(_of, types))
        case inspect.ListType(item_type=item):
            return st.lists(_of(item), max_size=3)
        case inspect.VarTupleType(item_type=item):
            return st.lists(_of(item), max_size=3).map(tuple)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=3)
        case inspect.LiteralType(values=values):
            return st.sampled_from(sorted(values, key=str))
    return _SIMPLE[type(info)]


def _struct(info: inspect.StructType) -> st.SearchStrategy[Any]:
    parts = {field.name: _of(field.type) for field in info.fields}
    return st.fixed_dictionaries(parts).map(lambda values: info.cls(**values))


_SIMPLE: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.StrType: TEXTS,
    inspect.IntType: INTEGERS,
    inspect.FloatType: FLOATS,
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
    inspect.AnyType: JSON,
    inspect.RawType: OBJECTS.map(msgspec.json.encode).map(msgspec.Raw),
}
