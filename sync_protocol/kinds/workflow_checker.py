"""Reads the workflow of a kind: states, transitions, and whether they hang together."""

import itertools
from collections.abc import Collection, Mapping
from typing import Final, cast

from sync_protocol.kinds.declaration import (
    ACTION_WORDS,
    ROLES,
    Field,
    Role,
    State,
    Title,
    Transition,
    Workflow,
    alternatives,
)
from sync_protocol.kinds.field_checker import check_count, check_name, refuse_person_data
from sync_protocol.kinds.reading import Reader, did_you_mean, shown

_STATES_MAX: Final = 100
_TRANSITIONS_MAX: Final = 200


def read_workflow(reader: Reader, fields: Mapping[str, Field]) -> Workflow:
    """The table [workflow] of a kind with these fields."""
    reader.only(("initial", "states", "transitions"))
    states = tuple(_read_state(table, name) for name, table in reader.tables("states", needed=True))
    check_count(reader, "states", len(states), _STATES_MAX)
    known = tuple(state.name for state in states)
    initial = reader.text("initial")
    _check_states(reader, "initial", (initial,), known)
    needable = (*fields, *sorted(ACTION_WORDS))
    transitions = tuple(
        _read_transition(table, name, known, needable)
        for name, table in reader.tables("transitions", needed=True)
    )
    check_count(reader, "transitions", len(transitions), _TRANSITIONS_MAX)
    workflow = Workflow(initial, states, transitions)
    _check_reachable(reader, workflow)
    return workflow


def check_roles(reader: Reader, roles: Collection[str]) -> None:
    """Roles are those that staff and applications have."""
    for role in roles:
        if role not in ROLES:
            problem = Title(f"没有角色 {shown(role)}", f"there is no role {shown(role)}")
            reader.add("roles", problem, did_you_mean(role, ROLES))


def _read_state(reader: Reader, name: str) -> State:
    """One state."""
    reader.only(("title", "numbered", "closed"))
    check_name(reader, "", name, ())
    title = reader.title("title")
    refuse_person_data(reader, "title", title)
    return State(name, title, numbered=reader.flag("numbered"), closed=reader.flag("closed"))


def _read_transition(
    reader: Reader, name: str, states: Collection[str], needable: Collection[str]
) -> Transition:
    """One transition; what it needs are fields of the kind, or words that come along."""
    reader.only(("title", "from", "to", "roles", "needs"))
    check_name(reader, "", name, ())
    from_, to = reader.names("from", needed=True), reader.text("to")
    _check_states(reader, "from", from_, states)
    _check_states(reader, "to", (to,), states)
    roles = reader.names("roles", needed=True)
    check_roles(reader, roles)
    needs = reader.names("needs")
    for need in itertools.chain.from_iterable(map(alternatives, needs)):
        if need not in needable:
            problem = Title(
                f"{shown(need)} 既非字段，也非附言",
                f"{shown(need)} is neither a field nor a word that comes along",
            )
            reader.add("needs", problem, did_you_mean(need, needable))
    title = reader.title("title")
    refuse_person_data(reader, "title", title)
    return Transition(name, title, from_, to, cast("tuple[Role, ...]", roles), needs)


def _check_states(reader: Reader, key: str, names: Collection[str], states: Collection[str]) -> None:
    """States that are named are declared."""
    for name in names:
        if name and name not in states:
            problem = Title(f"没有状态 {shown(name)}", f"there is no state {shown(name)}")
            reader.add(key, problem, did_you_mean(name, states))


def _check_reachable(reader: Reader, workflow: Workflow) -> None:
    """Every state can be reached from the initial one."""
    reached = {workflow.initial}
    frontier = [workflow.initial]
    while frontier:
        state = frontier.pop()
        targets = {t.to for t in workflow.transitions if state in t.from_} - reached
        reached |= targets
        frontier.extend(targets)
    for declared in workflow.states:
        if declared.name not in reached:
            reader.report.add(
                (*reader.path, "states", declared.name),
                Title("从起始状态无法到达", f"no transition leads here from {shown(workflow.initial)}"),
                Title(
                    f'请补上 to = "{declared.name}" 的流转，或删去此状态',
                    f'Write a transition with to = "{declared.name}"',
                ),
            )
