"""Contact inside what is stored: sealed value by value on the way in, opened on the way out. Pure.

A stored JSON text keeps its form; each value of contact class in it is replaced by a seal, fenced by a control
character that no JSON text can contain. So whoever reads needs no kind to find the seals, whatever was written
cannot look like one, and everything else can still be read should the master key be lost.

    name      "contact": "13800138000"   ->   "contact": <RS>1:q83v...<RS>

What was refused is sealed as a whole (`WHOLE`): nobody can say of what class its values are.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from server.vault.township import TownshipKeys
from sync_protocol.kinds import Field, Kind

FENCE: Final = b"\x1e"
_SEAL: Final = re.compile(rb"\x1e([0-9]+:[A-Za-z0-9+/]+=*)\x1e")
_NULL: Final = b"null"
_NO_EFFECTS: Final = b"[]"
_FIELDS: Final = b'"fields":'
_OPS: Final = b'"ops":'
"""Members of a change. No text in one can contain them: its quotes are escaped there."""
_DIGEST_BYTES: Final = 32
_CONTACT: Final = "contact"
_SET_RULES: Final = frozenset({"union", "sum", "workflow"})
"""What they write are codes of a closed list, steps and states, part of which stands in paths."""
_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_effects: Final = msgspec.json.Decoder(list[tuple[str, Raw, Raw]]).decode
_entries: Final = msgspec.json.Decoder(dict[str, dict[str, Raw] | None]).decode
_list: Final = msgspec.json.Decoder(list[Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
Sealer = Callable[[bytes], bytes]


class SealedBody(msgspec.Struct, frozen=True):
    """The values of a record, plain and sealed, and those among them that were sealed, each as JSON."""

    plain: bytes
    sealed: bytes
    values: tuple[bytes, ...]


class Contact(msgspec.Struct, frozen=True):
    """Which values of a kind are of contact class: fields, and sub-fields of entries by field."""

    fields: frozenset[str] = frozenset()
    subs: Mapping[str, frozenset[str]] = {}
    names: tuple[bytes, ...] = ()
    """The names of all of these fields, as they stand in JSON."""
    whole: bool = False
    """Everything is sealed as one, because nothing is known of it."""

    @property
    def none(self) -> bool:
        """Whether there is nothing to seal."""
        return not (self.fields or self.subs or self.whole)


NOTHING: Final = Contact()
WHOLE: Final = Contact(whole=True)


@lru_cache(maxsize=1_024)
def contact_of(kind: Kind) -> Contact:
    """What is of contact class in a kind."""
    single = {name for name, field in kind.fields.items() if _is_contact(field) and not field.of}
    subs = {name: _subs(field) for name, field in kind.fields.items() if field.of}
    found = {name: names for name, names in subs.items() if names}
    return Contact(frozenset(single), found, tuple(f'"{name}"'.encode() for name in (*single, *found)))


def _is_contact(field: Field) -> bool:
    return field.privacy == _CONTACT and field.merge not in _SET_RULES


def _subs(field: Field) -> frozenset[str]:
    """The sub-fields of contact class; all of them where the field is and no sub-field says so."""
    named = frozenset(sub.name for sub in field.of if sub.privacy == _CONTACT)
    return named or frozenset(sub.name for sub in field.of if field.privacy == _CONTACT)


def opened(stored: bytes, keys: TownshipKeys, record: str | None) -> bytes:
    """The same without seals. Raises UnknownKey or Altered."""
    if FENCE not in stored:
        return stored
    return _SEAL.sub(lambda seal: keys.open(seal[1], record or ""), stored)


def sealer(keys: TownshipKeys, record: str | None, sealed: list[bytes] | None = None) -> Sealer:
    """Seals bytes for one record; what was sealed is noted in `sealed`."""
    seal = keys.sealer(record or "")
    if sealed is None:
        return lambda plain: FENCE + seal(plain) + FENCE

    def noting(plain: bytes) -> bytes:
        sealed.append(plain)
        return FENCE + seal(plain) + FENCE

    return noting


def values(body: bytes, contact: Contact, seal: Sealer) -> bytes:
    """The values of a record, or those that a change sets: an object by field."""
    if contact.whole:
        return seal(body)
    if not mentions(body, contact):
        return body
    found = _object(body)
    for name in found.keys() & (contact.fields | contact.subs.keys()):
        found[name] = Raw(_field(name, bytes(found[name]), contact, seal))
    return _encode(found)


def marks(marking: bytes, contact: Contact, seal: Sealer) -> bytes:
    """The marks of a record: entries that were removed keep what they said, because an edit brings them back."""
    if contact.whole:
        return seal(marking)
    if b'"r":' not in marking or not contact.subs:
        return marking
    found = _object(marking)
    removed = {name: _removed(name, bytes(raw), contact, seal) for name, raw in _object(found["r"]).items()}
    return _encode({**found, "r": Raw(_encode(removed))})


def _removed(name: str, raw: bytes, contact: Contact, seal: Sealer) -> Raw:
    subs = contact.subs.get(name)
    if not subs:
        return Raw(raw)
    entries = {entry: _list(one) for entry, one in _object(raw).items()}
    for parts in entries.values():
        parts[1] = Raw(_entry(bytes(parts[1]), subs, seal))  # writer, values, marks
    return Raw(_encode(entries))


def payload(change: bytes, contact: Contact, seal: Sealer, body: SealedBody | None = None) -> bytes:
    """A change as it is stored: its fields, and the values of its operations on entries.

    `body` is that of its record: a create mostly says just that, and need not be taken apart and sealed twice.
    """
    if contact.whole:
        return seal(change)
    if not mentions(change, contact):
        return change
    if body is not None and _OPS not in change:
        before, found_there, after = change.partition(_FIELDS + body.plain)
        if found_there:
            return before + _FIELDS + body.sealed + after
    found = _object(change)
    if "fields" in found:
        found["fields"] = Raw(values(bytes(found["fields"]), contact, seal))
    if "ops" in found:
        found["ops"] = Raw(_encode([_operation(op, contact, seal) for op in _list(found["ops"])]))
    return _encode(found)


def _operation(op: Raw, contact: Contact, seal: Sealer) -> Raw:
    found = _object(op)
    subs = contact.subs.get(msgspec.json.decode(found["field"]))
    if not subs or "values" not in found:
        return op
    return Raw(_encode({**found, "values": Raw(_entry(bytes(found["values"]), subs, seal))}))


def effects(done: bytes, contact: Contact, seal: Sealer) -> bytes:
    """What a change did: path, before and after."""
    if contact.whole:
        return seal(done)
    if not contact.names or done == _NO_EFFECTS:
        return done
    return _encode(
        [(path, *(at(path, raw, contact, seal) for raw in both)) for path, *both in _effects(done)]
    )


def sides(kept: bytes, path: str, contact: Contact, seal: Sealer) -> bytes:
    """What a conflict keeps of a path: base, and every value with its writer."""
    if contact.none:
        return kept
    found = _object(kept)
    found["base"] = at(path, found["base"], contact, seal)
    each = [_object(side) for side in _list(found["values"])]
    sealed = [{**side, "value": at(path, side["value"], contact, seal)} for side in each]
    return _encode({**found, "values": Raw(_encode(sealed))})


def fingerprint(digest: bytes, seal: Sealer) -> bytes:
    """The fingerprint of a change that is sealed: by a plain one, guesses of what it says could be tested."""
    return seal(digest)


def opened_fingerprint(stored: bytes, keys: TownshipKeys, record: str | None) -> bytes:
    """The same as it was made; a plain one may hold any bytes, and is no longer than a digest."""
    return stored if len(stored) <= _DIGEST_BYTES else opened(stored, keys, record)


def at(path: str, raw: Raw, contact: Contact, seal: Sealer) -> Raw:
    """The value on a path: a field, an entry of one, a sub-field of an entry."""
    plain = bytes(raw)
    if plain == _NULL:
        return raw
    if contact.whole:
        return Raw(seal(plain))
    name, _, below = path.partition("/")
    sub = below.partition("/")[2]
    subs = contact.subs.get(name, frozenset())
    if sub:
        return Raw(seal(plain)) if sub in subs else raw
    if below and subs:
        return Raw(_entry(plain, subs, seal))
    return Raw(_field(name, plain, contact, seal))


def _field(name: str, raw: bytes, contact: Contact, seal: Sealer) -> bytes:
    subs = contact.subs.get(name)
    if subs and raw.startswith(b"{"):
        entries = _entries(raw)
        for found in entries.values():
            if found is not None:
                _seal_subs(found, subs, seal)
        return _encode(entries)
    return seal(raw) if (subs or name in contact.fields) and raw != _NULL else raw


def _entry(raw: bytes, subs: frozenset[str], seal: Sealer) -> bytes:
    """One entry; what is no object, such as null for one that was removed, has no values."""
    if not raw.startswith(b"{"):
        return raw
    found = _object(raw)
    _seal_subs(found, subs, seal)
    return _encode(found)


def _seal_subs(entry: dict[str, Raw], subs: frozenset[str], seal: Sealer) -> None:
    for sub in subs & entry.keys():
        plain = bytes(entry[sub])
        if plain != _NULL:
            entry[sub] = Raw(seal(plain))


def mentions(text: bytes, contact: Contact) -> bool:
    """Whether a JSON text names any of these fields at all: most changes name none."""
    for name in contact.names:  # noqa: SIM110 (asked three times a record, and `any` takes twice as long)
        if name in text:
            return True
    return False
