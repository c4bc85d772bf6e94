"""What a step of the workflow asks for, as its declaration says, and the step that a filled form is. Pure.

Needs that name a list of entries get the form of such an entry beside them: the answer is written where the matter
is answered. A reason that may stand for them is asked for, and demanded only when they are not there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from server.casefile.forms import Input, inputs, sent_values, typed
from server.records.editing import Edit, EntriesEdit
from server.records.service import Step
from server.saying import Language, pick
from sync_protocol.kinds import Field, Kind, Title, Transition
from sync_protocol.kinds.declaration import alternatives

REASON: Final = "reason"
NOTE: Final = "note"
CLAIMS: Final = "claims"
TOGETHER: Final = frozenset({"join", "split"})
"""Steps that need another matter as well: they have pages of their own."""
FIELDS: Final = "fields"
CORRECTED_MAX: Final = 20
_RESULTS: Final = ("justified", "result", "way", "note")
_NOTES: Final = {
    "not_accept": Title("可向何处提出", "Where to go"),
    "refer": Title("转往何处", "Where to"),
}
_MUST_NOTE: Final = frozenset({"not_accept"})
_ON_THE_SPOT: Final = Title("当场办结，已当面答复", "Settled on the spot and answered in person")

Sent = Mapping[str, Sequence[str]]


class EntryForm(msgspec.Struct, frozen=True):
    """The form of an entry inside another form; its inputs are named under `prefix`."""

    field: str
    label: str
    prefix: str
    about: str
    """Of an entry that stands already: what it says."""
    inputs: list[Input]


class StepForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for before a step is taken."""

    name: str
    title: Title
    to: str
    reason: str
    """must, may, or none: whether a reason is asked for."""
    note: Title
    must_note: bool
    entries: list[EntryForm]
    corrected: list[tuple[str, str]]
    """Fields that may have to be corrected, of a return: names and labels."""
    assigns: bool
    """Whether it says who handles the matter."""


def simple(name: str, state: str) -> Title | None:
    """Of a step on the short path, which is taken at a click: the reason that it is taken with, which may be empty."""
    if name == "settle":
        return Title("", "")
    return _ON_THE_SPOT if (name, state) == ("close", "settled") else None


def step_form(
    kind: Kind,
    step: Transition,
    values: Mapping[str, Any],
    language: Language,
    begins: Mapping[str, Any] | None = None,
) -> StepForm:
    """The form of a step of a record with these values; `begins` is what an entry that has to be made begins with."""
    missing = step.missing(values)
    wanted = [alternatives(need) for need in step.needs]
    reason = "must" if (REASON,) in wanted else "may" if any(REASON in some for some in wanted) else "none"
    entries = [
        _entry_form(kind.fields[name], "", {}, language, begins if len(alternatives(need)) == 1 else None)
        for need in missing
        for name in alternatives(need)
        if name in kind.fields and kind.fields[name].type == "entries"
    ]
    if step.to == "resolved":
        entries += _claims(kind, values, language)
    returns = step.to == "returned"
    return StepForm(
        name=step.name,
        title=step.title,
        to=step.to,
        reason=reason,
        note=_NOTES.get(step.name, Title("说明", "Note")),
        must_note=step.name in _MUST_NOTE,
        entries=entries,
        corrected=[
            (one.name, pick(one.title, language)) for one in kind.fields.values() if returns and typed(one)
        ],
        assigns=step.to == "assigned",
    )


def missing_of(step: Transition, values: Mapping[str, Any], given: Step) -> tuple[str, ...]:
    """What the step would still lack, with what its form brings."""
    brought = {name for name, entries in given.edit.entries.items() if entries.append}
    words = {name for name in (REASON, NOTE) if getattr(given, name)}
    return step.missing({*values, *brought, *words})


def step_of(kind: Kind, form: StepForm, sent: Sent, language: Language) -> Step:
    """The step that a filled form asks for; declines what is no value of its field."""
    entries: dict[str, EntriesEdit] = {}
    for one in form.entries:
        said = sent_values(kind.fields[one.field].of, _below(sent, one.prefix))
        entry = one.prefix.partition("/")[2].rstrip(".")
        if said:
            before = entries.get(one.field, EntriesEdit())
            entries[one.field] = _with(before, entry, said)
    reason = _first(sent, REASON)
    corrected = [label for name, label in form.corrected if name in sent.get(FIELDS, ())][:CORRECTED_MAX]
    if corrected:
        told = pick(Title("请补正：", "To be corrected: "), language) + "、".join(corrected)
        reason = f"{told}。{reason}"
    return Step(form.name, _first(sent, NOTE) or None, reason or None, Edit(entries=entries))


def _with(before: EntriesEdit, entry: str, said: dict[str, Any]) -> EntriesEdit:
    if entry:
        return EntriesEdit(before.append, {**before.edit, entry: said}, before.remove)
    return EntriesEdit([*before.append, said], before.edit, before.remove)


def _claims(kind: Kind, values: Mapping[str, Any], language: Language) -> list[EntryForm]:
    """A form for the result of each claim."""
    field = kind.fields.get(CLAIMS)
    if field is None:
        return []
    asked = msgspec.structs.replace(field, of=tuple(sub for sub in field.of if sub.name in _RESULTS))
    entries = values.get(CLAIMS) or {}
    return [_entry_form(asked, entry, entries[entry], language) for entry in sorted(entries)]


def _entry_form(
    field: Field,
    entry: str,
    values: Mapping[str, Any],
    language: Language,
    begins: Mapping[str, Any] | None = None,
) -> EntryForm:
    """The form of an entry; without `begins` it may be left empty, so nothing in it is required."""
    prefix = f"{field.name}/{entry}."
    about = str(values.get("text", ""))
    asked = [
        one if begins is not None else msgspec.structs.replace(one, required=False)
        for one in inputs(field.of, values, language, begins)
    ]
    return EntryForm(field.name, pick(field.title, language), prefix, about, asked)


def _below(sent: Sent, prefix: str) -> Sent:
    return {name[len(prefix) :]: values for name, values in sent.items() if name.startswith(prefix)}


def _first(sent: Sent, name: str) -> str:
    return next(iter(sent.get(name, ())), "").strip()
