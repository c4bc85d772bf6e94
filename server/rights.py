"""The one table of role, action and scope (rights.toml), and what follows from it for a caller. Pure."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias

import msgspec

from server.reach import Caller, Reach
from sync_protocol.kinds.declaration import ROLES

Scope: TypeAlias = Literal[
    "grids", "village", "assigned", "taken_on", "passed_up", "township", "county", "self"
]
APPLICATION: Final = "application"
PEOPLE: Final = tuple(role for role in ROLES if role != APPLICATION)
CONTACT: Final = {"contact.read": "contact:read", "contact.write": "contact:write"}
INSIDE: Final = {**CONTACT, "figures.small": "figures:small"}
"""Actions inside other actions, and the scope by which services know that the caller may do them."""
_NAMED_FOR: Final = frozenset({"township", "assigned", "taken_on"})
_PASSED_UP: Final = "passed_up"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may do one action: for each role how far, for an application with which scope. None: not at all."""

    says: str
    application: str | None = None
    grid_worker: Scope | None = None
    village_officer: Scope | None = None
    clerk: Scope | None = None
    leader: Scope | None = None
    unit_handler: Scope | None = None
    administrator: Scope | None = None
    county_handler: Scope | None = None
    county_observer: Scope | None = None

    def scope_of(self, role: str) -> Scope | None:
        """How far a person's role reaches in this action; None when it may not do it."""
        scope: Scope | None = getattr(self, role) if role in PEOPLE else None
        return scope


class Rights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table. `open` names what needs no credentials of a person or a token, each with the reason."""

    scopes: dict[str, str]
    open: dict[str, str]
    actions: dict[str, Rule]


class Person(msgspec.Struct, frozen=True):
    """Somebody who has signed in."""

    township: str
    """To which they belong; of people of a county its code, of 6 digits."""
    staff_id: str
    name: str
    role: str
    village: str | None = None
    unit: str | None = None
    grids: tuple[str, ...] = ()
    """Those of their devices."""
    sees_restricted: bool = False
    townships: tuple[str, ...] = ()
    """Where their work lies: the own township, or every town of the own county."""


class Application(msgspec.Struct, frozen=True):
    """An application whose token was checked, with what it may do where."""

    id: str
    name: str
    townships: tuple[str, ...]
    scopes: frozenset[str]

    def caller(self) -> Caller:
        """The application as a caller of services."""
        return Caller(self.id, self.name, APPLICATION, Reach(self.townships), self.scopes)


@lru_cache(maxsize=1)
def rights() -> Rights:
    """The table that this program was built with."""
    text = (files("server") / "rights.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Rights)


def person_caller(person: Person, rule: Rule, table: Rights) -> Caller | None:
    """A person about to do what a rule is for; None when their role may not."""
    scope = rule.scope_of(person.role)
    if scope is None:
        return None
    also = {name for action, name in INSIDE.items() if table.actions[action].scope_of(person.role)}
    return Caller(person.staff_id, person.name, person.role, _reach(person, scope), frozenset(also))


def acting(person: Person, action: str) -> Caller | None:
    """A person about to do an action of the table; None when they may not."""
    return person_caller(person, rights().actions[action], rights())


def _reach(person: Person, scope: Scope) -> Reach:
    """How far a scope goes for this person. Who has no village, no unit or no grid reaches nothing."""
    reach = Reach(person.townships, restricted=person.sees_restricted and scope in _NAMED_FOR)
    match scope:
        case "township" | "county":
            return reach
        case "taken_on":
            return msgspec.structs.replace(reach, leader=person.staff_id)
        case "assigned":
            return msgspec.structs.replace(reach, unit=person.unit or "")
        case "passed_up":
            return msgspec.structs.replace(reach, state=_PASSED_UP)
        case "village":
            return msgspec.structs.replace(reach, places=(person.village,) if person.village else ())
        case "grids":
            return msgspec.structs.replace(reach, places=person.grids)
        case "self":
            return msgspec.structs.replace(reach, places=())
