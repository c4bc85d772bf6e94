"""What a new version of a kind may change: it adds, and takes nothing away (design, section 3).

Records and queued changes of older versions live on, on devices that were not heard of for months. So a
new version only adds fields, choices, states and transitions; type, merge rule and privacy class of a
field never change. Titles may, limits may only widen, and what is required is judged by a change's own
version.
"""

from collections.abc import Iterator
from typing import Final

from sync_protocol.kinds.declaration import TEXT_CHARS_DEFAULT, Field, Kind, Title, Workflow
from sync_protocol.kinds.findings import Finding

Change = tuple[str, Title, Title]
"""Dotted key, problem, what to write instead."""

_KEEP: Final = Title("请保留原样；要改请另建新名称", "Keep it as it was; add a new one under a new name")


def compare(old: Kind, new: Kind, file: str = "") -> tuple[Finding, ...]:
    """What `new` changes of `old` although it must not; empty when the new version may be installed."""
    changes = [
        *_head(old, new),
        *_fields("fields", old.fields, new.fields),
        *_workflow(old.workflow, new.workflow),
    ]
    return tuple(Finding(file or new.name, 0, *change) for change in changes)


def _head(old: Kind, new: Kind) -> Iterator[Change]:
    """Name and version."""
    if new.name != old.name:
        problem = Title(
            f"名称由 {old.name} 改为 {new.name}", f"the name changes from {old.name} to {new.name}"
        )
        yield "kind.name", problem, Title(f"请写 {old.name}", f"Write {old.name}")
    if new.version <= old.version:
        problem = Title(
            f"版本 {new.version} 不高于 {old.version}", f"version {new.version} is not above {old.version}"
        )
        yield "kind.version", problem, Title(f"请写 {old.version + 1}", f"Write {old.version + 1}")


def _fields(key: str, old: dict[str, Field], new: dict[str, Field]) -> Iterator[Change]:
    """Fields, or the sub-fields of one entry."""
    for name, field in old.items():
        if field.merge == "workflow":
            continue
        if name not in new:
            yield f"{key}.{name}", Title("字段被删去", "the field is gone"), _KEEP
        else:
            yield from _field(f"{key}.{name}", field, new[name])


def _field(key: str, old: Field, new: Field) -> Iterator[Change]:
    """One field."""
    for name in ("type", "merge", "privacy", "of_kind", "unit"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            problem = Title(f"{name} 由 {before} 改为 {after}", f"{name} changes from {before} to {after}")
            yield f"{key}.{name}", problem, _KEEP
    gone = {choice.code for choice in old.choices} - {choice.code for choice in new.choices}
    for code in sorted(gone):
        yield f"{key}.choices", Title(f"选项 {code} 被删去", f"the choice {code} is gone"), _KEEP
    yield from _limits(key, old, new)
    yield from _fields(f"{key}.of", _by_name(old), _by_name(new))


def _by_name(field: Field) -> dict[str, Field]:
    """The sub-fields of entries."""
    return {sub.name: sub for sub in field.of}


def _limits(key: str, old: Field, new: Field) -> Iterator[Change]:
    """A value that was within the limits stays within them."""
    longest = (old.max_length or TEXT_CHARS_DEFAULT, new.max_length or TEXT_CHARS_DEFAULT)
    narrowed = {
        "max_length": longest[1] < longest[0],
        "minimum": new.minimum is not None and (old.minimum is None or new.minimum > old.minimum),
        "maximum": new.maximum is not None and (old.maximum is None or new.maximum < old.maximum),
    }
    for name in (name for name, narrower in narrowed.items() if narrower):
        before, after = getattr(old, name), getattr(new, name)
        problem = Title(f"{name} 由 {before} 收紧为 {after}", f"{name} narrows from {before} to {after}")
        yield f"{key}.{name}", problem, Title("界限只能放宽", "Limits may only widen")


def _workflow(old: Workflow | None, new: Workflow | None) -> Iterator[Change]:
    """States and transitions."""
    if (old is None) != (new is None):
        problem = Title("流程被新增或删去", "a workflow appears or disappears")
        yield "workflow", problem, Title("有无流程不能改变；请另建一类", "Declare another kind")
    if old is None or new is None:
        return
    if old.initial != new.initial:
        problem = Title("起始状态改变", f"the initial state changes from {old.initial} to {new.initial}")
        yield "workflow.initial", problem, _KEEP
    for state in old.states:
        after = new.state(state.name)
        key = f"workflow.states.{state.name}"
        if after is None:
            yield key, Title("状态被删去", "the state is gone"), _KEEP
        elif (after.numbered, after.closed) != (state.numbered, state.closed):
            yield key, Title("numbered 或 closed 改变", "numbered or closed changes"), _KEEP
    yield from _transitions(old, new)


def _transitions(old: Workflow, new: Workflow) -> Iterator[Change]:
    """A transition that a device may have queued is still there, and leads where it led."""
    targets = {transition.name: transition for transition in new.transitions}
    for transition in old.transitions:
        key = f"workflow.transitions.{transition.name}"
        after = targets.get(transition.name)
        if after is None:
            yield key, Title("流转被删去", "the transition is gone"), _KEEP
        elif after.to != transition.to or not set(transition.from_) <= set(after.from_):
            yield key, Title("流转的起止状态改变", "it starts or ends elsewhere"), _KEEP
