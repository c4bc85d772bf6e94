"""How a worker's answer to a problem becomes an edit. The edit is a save like any other."""

from typing import Any

from client_sdk.field_edits import Edits
from client_sdk.problem import Answer, Told
from client_sdk.reading import RETURNED, Reading
from client_sdk.record import Record
from client_sdk.store import problems
from client_sdk.store.store import Store
from sync_protocol.errors import InvalidRecord


def answer_problem(
    edits: Edits, store: Store, problem: Told, answer: Answer, note: str | None, fields: dict[str, Any]
) -> Record | None:
    """Deals with a problem; see Problem.answer. Gives the record as it is then."""
    if answer == "resubmit" or problem.what == RETURNED:
        return _resubmit(edits, store, problem, note, fields)
    with store.read() as tx:
        now = Reading(tx, store).one(problem.record.id)
    if answer == "mine" and now is not None:
        for path, differing in problem.values.items():
            now = _again(edits, now, path, differing.own) if not fields else now
        now = edits.update(now, **fields) if fields else now
    with store.write() as tx:
        problems.end(tx, problem.number)
        return Reading(tx, store).one(problem.record.id)


def _resubmit(edits: Edits, store: Store, problem: Told, note: str | None, fields: dict[str, Any]) -> Record:
    """Corrects a returned record and takes the step that its workflow begins with once more."""
    record = problem.record
    with store.read() as tx:
        reading = Reading(tx, store)
        workflow = reading.kind(record.kind).workflow
        steps = workflow.actions(record.state or "", reading.role) if workflow is not None else ()
        again = next(
            (step for step in steps if workflow is not None and workflow.initial in step.from_), None
        )
    if again is None:
        raise InvalidRecord("state", "这条记录不在退回状态 / the record is not one that was returned")
    return edits.act(record, again.name, note=note, **fields)


def _again(edits: Edits, now: Record, path: str, own: Any) -> Record:
    """The own value of one path, submitted again on what stands now. A step of the workflow is not repeated."""
    name, _, below = path.partition("/")
    entry, _, sub = below.partition("/")
    if sub:
        return edits.edit_entry(now, name, entry, **{sub: own})
    if below and isinstance(now.values.get(name), list | None):
        return edits.add(now, name, below) if own else edits.discard(now, name, below)
    return edits.update(now, **{name: own}) if name in now.fields else now
