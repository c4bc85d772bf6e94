"""Checks values against the declaration, quickly: msgspec structs are defined from it at run time.

A server checks batches of hundreds of creates, so the yes has to be cheap: one decode into a struct, a
look at the few fields that need more than msgspec knows, one encode. Only a no is explained at length
(reasons.py). What the values look like stands in field_types.py.

    shape(kind).check_create(raw)     canonical bytes of a new record's fields
    shape(kind).check_values(raw)     the changed fields of an edit, as canonical builtin values
    shape(kind).check_entry(...)      the sub-fields of one entry
    shape(kind).check_element(...)    one member of a set
    shape(kind).check_increment(...)  one step of a sum

Each raises InvalidField, and nothing else, whatever the bytes are.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from sync_protocol.kinds.declaration import FIELD_BYTES_MAX, INTEGER_MAX, Field, Kind, Title
from sync_protocol.kinds.field_types import CANONICAL, Canonical, wire_type
from sync_protocol.kinds.findings import InvalidField
from sync_protocol.kinds.reasons import explain, fault, unknown
from sync_protocol.kinds.wire_values import to_wire

Raw = bytes | msgspec.Raw
Step = tuple[str, Canonical]
_NUL: Final = b"\\u0000"
_ESCAPE: Final = b"\\"
"""Few values have one, and one byte is found eight times as fast."""
_SHAPES_MAX: Final = 1_024
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Shape:
    """The checks of one version of one kind. Immutable; safe to use from any thread."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Final = kind
        self._fields = {name: field for name, field in kind.fields.items() if field.merge != "workflow"}
        self._subs = {name: _by_name(field) for name, field in self._fields.items() if field.of}
        self._whole = _Layout(kind.name, self._fields, partial=False)
        self._partial = _Layout(kind.name, self._fields, partial=True)
        self._entry_whole = {name: _Layout(name, subs, partial=False) for name, subs in self._subs.items()}
        self._entry_partial = {name: _Layout(name, subs, partial=True) for name, subs in self._subs.items()}

    def check_create(self, raw: Raw) -> bytes:
        """The canonical JSON of a new record's fields, from an object of all that were set.

        Cleared fields (null) and empty sets and lists of entries are left out: for a new record they say
        the same as their absence. Required fields have to be there.
        """
        return self._whole.read(raw, "")[1]

    def check_values(self, raw: Raw) -> dict[str, Any]:
        """The fields of an edit in canonical form, None for one that it clears. Required ones cannot be."""
        return _builtin(self._partial, raw)

    def check_entry(self, field: str, raw: Raw, *, partial: bool) -> dict[str, Any]:
        """The sub-fields of one entry of `field` in canonical form.

        `partial` for an edit of an entry: what is missing stays, None clears. Without it the entry is
        new: required sub-fields have to be there, cleared ones are left out.
        """
        layouts = self._entry_partial if partial else self._entry_whole
        if field not in layouts:
            raise self._wrong_rule(field, "entries")
        return _builtin(layouts[field], raw, field)

    def check_element(self, field: str, value: object) -> str:
        """A code that may be added to, or removed from, the set `field`."""
        declared = self._fields.get(field)
        if declared is None or declared.merge != "union":
            raise self._wrong_rule(field, "union")
        codes: list[str] = self.check_values(to_wire({field: [value]}))[field]
        return codes[0]

    def check_increment(self, field: str, n: object) -> int:
        """How much is added to the sum `field`: a whole number within ±2^53, negative too."""
        declared = self._fields.get(field)
        if declared is None or declared.merge != "sum":
            raise self._wrong_rule(field, "sum")
        if not isinstance(n, int) or isinstance(n, bool) or not -INTEGER_MAX <= n <= INTEGER_MAX:
            raise InvalidField(
                field,
                Title("增量应为 ±2^53 以内的整数", "an increment is a whole number within ±2^53"),
                "invalid_field",
            )
        return n

    def _wrong_rule(self, field: str, rule: str) -> InvalidField:
        """An operation that the field does not have."""
        if field not in self._fields:
            return unknown(field, self._fields)
        merge = self._fields[field].merge
        return InvalidField(
            field,
            Title(
                f"规则为 {merge} 的字段没有此操作", f"a field of rule {merge} has no operation of rule {rule}"
            ),
            "invalid_field",
        )


@lru_cache(maxsize=_SHAPES_MAX)
def shape(kind: Kind) -> Shape:
    """The checks of `kind`, made once."""
    return Shape(kind)


class _Layout:
    """A struct for some fields, its decoder, and what its decoded values still need.

    `partial` for edits: nothing has to be there, and None says that a field is cleared.
    """

    def __init__(self, name: str, fields: Mapping[str, Field], *, partial: bool) -> None:
        self.fields = fields
        self.partial = partial
        entries = {
            key: _Layout(key, _by_name(field), partial=False) for key, field in fields.items() if field.of
        }
        columns = [
            _column(fields[key], entries[key].struct if key in entries else None, partial=partial)
            for key in sorted(fields)
        ]
        self.struct: type[msgspec.Struct] = msgspec.defstruct(
            name, columns, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
        )
        self.steps = list(_steps(fields, entries, partial=partial))
        self._decode = msgspec.json.Decoder(self.struct).decode

    def read(self, raw: Raw, within: str) -> tuple[Any, bytes]:
        """The decoded struct in canonical form, and its bytes. `within` names the entries it belongs to."""
        try:
            value = self._decode(raw)
            self.finish(value)
            canonical = _encode(value)
        except (ValueError, OverflowError) as error:
            raise explain(self.fields, bytes(raw), error, required=not self.partial, within=within) from None
        if len(canonical) > FIELD_BYTES_MAX or (_ESCAPE in canonical and _NUL in canonical):
            found = fault(self.fields, canonical, required=not self.partial, within=within)
            if found is not None:
                raise found
        return value, canonical

    def finish(self, value: Any) -> None:
        """Brings decoded values into canonical form, in place; ValueError when one is out of range."""
        for name, canonical in self.steps:
            before = getattr(value, name)
            if before is None or before is UNSET:
                continue
            after = canonical(before)
            if after is not before:
                setattr(value, name, after)

    def finish_entries(self, entries: dict[str, Any]) -> dict[str, Any]:
        """The same for every entry of a list."""
        if self.steps:
            for entry in entries.values():
                self.finish(entry)
        return entries


def _by_name(field: Field) -> dict[str, Field]:
    """The sub-fields of entries."""
    return {sub.name: sub for sub in field.of}


def _column(field: Field, entry: Any, *, partial: bool) -> tuple[str, Any] | tuple[str, Any, Any]:
    """One field of a struct: name, type, and the default when it may be missing."""
    wire = wire_type(field, entry)
    if partial:
        return (field.name, (wire if field.required else wire | None) | UnsetType, UNSET)
    return (field.name, wire) if field.required else (field.name, wire | None, None)


def _steps(fields: Mapping[str, Field], entries: Mapping[str, "_Layout"], *, partial: bool) -> Iterator[Step]:
    """What decoded values still need. An edit may empty a list; for a create that says nothing."""
    for name, field in fields.items():
        if name in entries:
            finish = entries[name].finish_entries
            yield name, finish if partial else _unless_empty(finish)
        elif field.type in CANONICAL:
            yield name, CANONICAL[field.type]
        elif field.type == "choices" and not partial:
            yield name, _or_none


def _unless_empty(canonical: Canonical) -> Canonical:
    """The same form, None for what is empty."""
    return lambda value: canonical(value) or None


def _or_none(value: Any) -> Any:
    """None for what is empty."""
    return value or None


def _builtin(layout: _Layout, raw: Raw, within: str = "") -> dict[str, Any]:
    """The fields of an edit, or of an entry, as builtin values in canonical form."""
    values: dict[str, Any] = msgspec.to_builtins(layout.read(raw, within)[0], order="deterministic")
    return values
