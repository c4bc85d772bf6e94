"""A change: what one author did to one record in one save, and what the author had on the screen.

A change carries only what was changed. Single values travel in `fields`; sets, increments and entries as
`ops`; a step of the workflow as `act`. What the change was made on is named per *path*:

    title                        a field
    tags/road                    one member of a set
    measures/<entry id>/text     one sub-field of one entry

`base` is the version of the record shown; `bases` the paths whose version is newer than that (an own
change that was acknowledged before its page came); `on` the author's own earlier change that a path shows
and that no page has brought yet. Together they are the causal past of the change, and merge.py needs
nothing else to tell "changed since" from "changed on purpose".

The id is the identity for exactly-once. `n` and the installation epoch of the request order a device's
changes, nothing more: a fork renumbers them and leaves ids alone, so the fingerprint leaves them out.
"""

import hashlib
from typing import Any, Final, Literal

import msgspec

from sync_protocol.json_parts import members

EMPTY: Final = msgspec.Raw(b"{}")
Do = Literal["create", "edit", "delete"]


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="add"):
    """Adds a member to a set."""

    field: str
    value: str

    @property
    def path(self) -> str:
        """The path this operation writes."""
        return f"{self.field}/{self.value}"


class Remove(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="remove"):
    """Removes a member from a set: only the additions that the author had seen."""

    field: str
    value: str

    @property
    def path(self) -> str:
        """The path this operation writes."""
        return f"{self.field}/{self.value}"


class Increment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="increment"):
    """Adds `by` to a sum."""

    field: str
    by: int | float

    @property
    def path(self) -> str:
        """The path this operation writes."""
        return self.field


class Put(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="put"):
    """Adds an entry, or edits the named sub-fields of one (None clears a sub-field)."""

    field: str
    entry: str
    values: msgspec.Raw

    @property
    def path(self) -> str:
        """The path of the entry; its sub-fields lie below."""
        return f"{self.field}/{self.entry}"


class Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="drop"):
    """Removes an entry."""

    field: str
    entry: str

    @property
    def path(self) -> str:
        """The path of the entry."""
        return f"{self.field}/{self.entry}"


Op = Add | Remove | Increment | Put | Drop


class Act(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"from_": "from"}
):
    """One step of the workflow, with the state that it starts from and what was said about it."""

    name: str
    from_: str
    to: str
    note: str | None = None


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One change as it travels. Unknown keys are refused, because ignoring one would lose what it says."""

    id: str
    record: str
    kind: str
    version: int
    """Version of the kind that the change was written against."""
    n: int
    """The device's counter within its installation epoch: dense, from 1."""
    at: int
    """The device's clock at the save, in milliseconds since 1970; may be wrong by decades."""
    do: Do = "edit"
    mark: int = 0
    """Server time of the device's last contact before the save, in milliseconds; 0 before the first."""
    since: int | None = None
    """What the device's clock counted from that contact to the save, in milliseconds; below 0 when it was set back.

    None before the first contact, and where the server itself is the author.
    """
    base: int = 0
    bases: dict[str, int] = {}
    on: dict[str, str] = {}
    after: str | None = None
    """The author's own create that no page has brought yet: it counts as having set every path not in `on`."""
    place: str | None = None
    """Where a new record lies; in an edit, where the office moves it."""
    fields: msgspec.Raw = EMPTY
    ops: tuple[Op, ...] = ()
    act: Act | None = None
    decides: str | None = None
    """The conflict that this change decides (office only)."""
    into: str | None = None
    """The record that this one is joined into; "" splits it from there again (office only)."""
    reason: str | None = None

    def base_of(self, path: str) -> int:
        """The server version of `path` that the author had on the screen."""
        return self.bases.get(path, self.base)

    def predecessor(self, path: str) -> str | None:
        """The author's own earlier change whose value of `path` was on the screen, if any.

        What is named for an entry holds for its sub-fields, what is named for a field for all below it.
        """
        while path not in self.on and path:
            path = path.rpartition("/")[0]
        return self.on.get(path, self.after)

    def built_on(self, path: str) -> set[str]:
        """The own earlier changes that were seen on `path` and on everything below it."""
        if not path:
            return self.predecessors
        below = {name for key, name in self.on.items() if key.startswith(f"{path}/")}
        return below | {name for name in (self.predecessor(path),) if name is not None}

    @property
    def predecessors(self) -> set[str]:
        """Every own earlier change that this one names."""
        if not self.on and self.after is None:
            return set()
        return {*self.on.values(), self.after} - {None}  # type: ignore[return-value]  # mypy keeps the None


class Glimpse(msgspec.Struct, frozen=True):
    """What can be read of a change that cannot be decoded: enough to keep it and answer for it."""

    id: str
    record: str = ""
    n: int = 0


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(Change).decode


def glimpse(raw: bytes) -> Glimpse | None:
    """The id, record and counter of an undecodable change; None when not even the id can be read.

    Each member is read by itself, so that one bad member does not hide the others.
    """
    try:
        parts = members(raw)
    except ValueError:
        return None
    read = {name: _member(parts.get(name)) for name in ("id", "record", "n")}
    if not isinstance(read["id"], str):
        return None
    record = read["record"] if isinstance(read["record"], str) else ""
    n = read["n"] if isinstance(read["n"], int) and not isinstance(read["n"], bool) else 0
    return Glimpse(read["id"], record, n)


def _member(raw: bytes | None) -> Any:
    try:
        return msgspec.json.decode(raw) if raw is not None else None
    except (ValueError, RecursionError):
        return None


def fingerprint(change: Change) -> bytes:
    """SHA-256 over what the change says, the same before and after a fork: 32 bytes.

    The counter is set to nought, so that a renumbered queue is the same queue. Two changes that share an
    id and differ here are two changes.
    """
    return hashlib.sha256(encode(msgspec.structs.replace(change, n=0))).digest()


def same_content(one: Change, other: Change) -> bool:
    """Whether two changes say the same, however their values were spelt: key order, spaces, 3 and 3.0."""
    try:
        plain = [msgspec.json.decode(encode(msgspec.structs.replace(change, n=0))) for change in (one, other)]
        return bool(plain[0] == plain[1])
    except (ValueError, RecursionError):
        return False  # values that nobody can read have one spelling: its bytes


def fields_of(change: Change) -> dict[str, Any]:
    """The values that the change sets, by field; nothing where they are no object (a quarantined change)."""
    return object_of(change.fields)


def object_of(raw: msgspec.Raw) -> dict[str, Any]:
    """A JSON object as a dict, and an empty one for everything else: a stored change may say anything."""
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
