"""What a kind of record is: fields, workflow, titles. Data only; how it is read stands in checker.py.

A `Kind` is whole by itself: where a field names a code table, the codes are in `choices` already, so a
declaration that travelled to a device needs nothing else to validate, show and merge records.

Words come from the field: a *kind* is a sort of record, a *state* and a *transition* belong to its
workflow, a *merge rule* says what happens when two people changed one field, a *privacy class* how a
value may be shown (design, sections 3 and 6).
"""

from collections.abc import Collection
from typing import Final, Literal, Self, get_args

import msgspec

from sync_protocol.limits import DEFAULTS

FieldType = Literal[
    "text",
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "choice",
    "choices",
    "entries",
    "point",
    "reference",
    "file",
]
Rule = Literal["latest", "review", "union", "entries", "sum", "max", "min", "text", "workflow"]
Privacy = Literal["plain", "narrative", "location", "contact"]
Role = Literal[
    "grid_worker",
    "village_officer",
    "clerk",
    "leader",
    "unit_handler",
    "administrator",
    "county_handler",
    "county_observer",
    "application",
]

FIELD_TYPES: Final[tuple[str, ...]] = get_args(FieldType)
RULES: Final[tuple[str, ...]] = get_args(Rule)
PRIVACY_CLASSES: Final[tuple[str, ...]] = get_args(Privacy)
ROLES: Final[tuple[str, ...]] = get_args(Role)
OFFICE_ROLES: Final[frozenset[str]] = frozenset(
    {"clerk", "leader", "unit_handler", "administrator", "county_handler"}
)
"""Roles whose decisions outrank the field's: the township office, the units it assigns to, the county."""

FIELDS_MAX: Final = 200
"""Fields of a kind, and sub-fields of an entry."""
ENTRIES_MAX: Final = DEFAULTS.entries_max
"""Entries of a list, and choices of a field."""
FIELD_BYTES_MAX: Final = DEFAULTS.field_bytes_max
"""Bytes of one field as encoded."""
TEXT_CHARS_DEFAULT: Final = 4_000
TEXT_CHARS_MAX: Final = 21_845
"""Characters of a text: 64 KiB at three bytes each, the length of nearly all Chinese in UTF-8."""
INTEGER_MAX: Final = 2**53
"""Whole numbers beyond it are not exact in JSON readers that keep numbers as doubles."""

STATE_FIELD: Final = "state"
RESERVED_NAMES: Final[frozenset[str]] = frozenset(
    {
        "kind",
        "grid",
        "village",
        "base",
        "key",
        "draft",
        "id",
        "state",
        "number",
        "place",
        "version",
        "township",
        "record",
        "into",
    }
)
"""Names that records, the SDK and the server use themselves."""
RESERVED_ENTRY_NAMES: Final[frozenset[str]] = frozenset({"id", "base", "record", "field", "entry"})
"""Arguments of the SDK's calls on entries."""
ACTION_WORDS: Final[frozenset[str]] = frozenset({"note", "reason", "fields"})
"""What a transition may carry besides values: words, a reason, the names of fields to correct."""


class Title(msgspec.Struct, frozen=True):
    """The same words in Chinese and in English."""

    zh: str
    en: str


class Choice(msgspec.Struct, frozen=True):
    """One code of a closed list. The code is stored and travels; the words are shown."""

    code: str
    zh: str
    en: str


class CodeTable(msgspec.Struct, frozen=True):
    """A closed list that several fields share, with where it comes from. A township may replace one."""

    name: str
    title: Title
    source: str
    codes: tuple[Choice, ...]


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field of a kind, or one sub-field of an entry.

    Limits are in characters for text (`max_length`) and in `unit` for numbers. `of` holds the sub-fields
    of entries, `of_kind` the kind that a reference points to. `codes` names the code table that
    `choices` were taken from, None when they are the field's own.
    """

    name: str
    type: FieldType
    title: Title
    merge: Rule = "latest"
    privacy: Privacy = "plain"
    required: bool = False
    max_length: int | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    unit: str | None = None
    choices: tuple[Choice, ...] = ()
    codes: str | None = None
    of: tuple["Field", ...] = ()
    of_kind: str | None = None

    def sub_field(self, name: str) -> "Field | None":
        """The sub-field of an entry called `name`; None when there is none."""
        return next((sub for sub in self.of if sub.name == name), None)


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """One state of a workflow.

    `numbered`: a record that first reaches it gets its registration number. `closed`: reaching it is an
    exit, so devices no longer hold the record.
    """

    name: str
    title: Title
    numbered: bool = False
    closed: bool = False


class Transition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One action: from which states, to which, by which roles, and what has to be there.

    Each of `needs` names a field of the kind or one of `ACTION_WORDS`; "answers | reason" is satisfied by
    either.
    """

    name: str
    title: Title
    from_: tuple[str, ...] = msgspec.field(name="from")
    to: str = ""
    roles: tuple[Role, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def office(self) -> bool:
        """Whether only roles of the office may do it."""
        return OFFICE_ROLES.issuperset(self.roles)

    def missing(self, given: Collection[str]) -> tuple[str, ...]:
        """The needs that `given` (fields that are set, and words that came along) does not satisfy."""
        return tuple(need for need in self.needs if not any(name in given for name in alternatives(need)))


def alternatives(need: str) -> tuple[str, ...]:
    """The names of which one is enough: ("answers", "reason") for "answers | reason"."""
    return tuple(name.strip() for name in need.split("|"))


class Workflow(msgspec.Struct, frozen=True):
    """States and transitions in the order of the declaration; `initial` is the state of a new record."""

    initial: str
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    field: str = STATE_FIELD

    def state(self, name: str) -> State | None:
        """The state called `name`; None when there is none."""
        return next((state for state in self.states if state.name == name), None)

    def transition(self, name: str, from_state: str) -> Transition | None:
        """The transition `name` when it may start from `from_state`, else None."""
        return next((t for t in self.transitions if t.name == name and from_state in t.from_), None)

    def actions(self, state: str, role: str) -> tuple[Transition, ...]:
        """What `role` may do with a record in `state`."""
        return tuple(t for t in self.transitions if state in t.from_ and role in t.roles)


class Kind(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of record: its fields in the order of the declaration, its workflow, who makes its records.

    A kind with a workflow has a field `state` of rule `workflow`, which no declaration lists. A kind
    without one says in `keep_days` how many days devices keep its records. `retain_days` says for how many
    days after its last change a record that is over keeps its values on the server; None until somebody
    erases it. `roles` may create records; empty means everybody who works in the township.

    Two kinds are equal when all they declare is; the hash is that of name and version, so that a kind is
    a cheap key of a cache.
    """

    name: str
    version: int
    title: Title
    fields: dict[str, Field]
    workflow: Workflow | None = None
    keep_days: int | None = None
    roles: tuple[Role, ...] = ()
    retain_days: int | None = None

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[str, int]:
        """Name and version."""
        return (self.name, self.version)

    def field(self, name: str) -> Field | None:
        """The field called `name`; None when there is none."""
        return self.fields.get(name)

    def with_codes(self, tables: dict[str, CodeTable]) -> Self:
        """The same kind with the choices of `tables` where a field names one of them.

        For a township that replaced a code table. Tables that are not in `tables` stay as they are.
        """
        fields = {name: _with_codes(field, tables) for name, field in self.fields.items()}
        return msgspec.structs.replace(self, fields=fields)


def _with_codes(field: Field, tables: dict[str, CodeTable]) -> Field:
    """One field, its sub-fields included, with choices taken from `tables`."""
    if field.of:
        return msgspec.structs.replace(field, of=tuple(_with_codes(sub, tables) for sub in field.of))
    if field.codes in tables:
        return msgspec.structs.replace(field, choices=tables[field.codes].codes)
    return field
