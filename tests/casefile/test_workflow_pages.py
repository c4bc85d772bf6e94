"""Every step of the workflow, by every role that may take it and by those that may not, through the pages."""

from typing import Final

import pytest

from server.casefile import undertaking
from server.casefile.steps import TOGETHER
from server.casefile.undertaking import Handling
from server.records import service as records
from server.records.editing import Edit, EntriesEdit
from server.records.service import Step
from server.records.writing import Target
from sync_protocol.kinds import shipped
from tests.casefile.office import Office
from tests.casefile.pages import Desk, desk, steps_of

MATTER: Final = shipped()["matter"]
assert MATTER.workflow is not None
WORKFLOW: Final = MATTER.workflow
WAYS: Final[dict[str, tuple[str, ...]]] = {
    "reported": (),
    "settled": ("settle",),
    "returned": ("return",),
    "accepted": ("accept",),
    "assigned": ("accept", "assign"),
    "handling": ("accept", "handle"),
    "passed_up": ("accept", "pass_up"),
    "handed_back": ("accept", "pass_up", "hand_back"),
    "resolved": ("accept", "resolve"),
    "answered": ("accept", "resolve", "answer"),
    "under_review": ("accept", "resolve", "answer", "review"),
    "reopened": ("accept", "resolve", "reopen"),
    "closed": ("settle", "close"),
    "archived": ("settle", "close", "archive"),
    "not_accepted": ("not_accept",),
    "referred": ("refer",),
    "void": ("void",),
}
"""How an administrator brings a matter into each state but draft, which the office never sees."""
FILLED: Final = {
    "reason": "依据有关规定",
    "note": "镇司法所",
    "lead": "司法所",
    "answers/.f.text": "已当面答复",
}
_PEOPLE: Final = ("clerk", "administrator", "leader", "unit_handler", "village_officer", "county_handler")


async def brought(office: Office, state: str, leader: str) -> str:
    """A matter in a state, given to the unit and to the leader of this office."""
    record = await office.matter()
    await undertaking.put(
        office.services, office.caller("assignments.set"), record, Handling([leader], "司法所")
    )
    for step in WAYS[state]:
        answers = {"answers": EntriesEdit([{"text": "已答复"}])} if step == "answer" else {}
        taken = Step(step, "说明", "理由", Edit(entries=answers))
        await records.act(
            office.services, office.caller("records.act", "administrator"), Target(record), taken
        )
    return record


async def everybody(office: Office) -> dict[str, Desk]:
    return {role: await desk(office, role) for role in _PEOPLE}


# Which steps there are is decided by the declaration, and no database has a part in it: one is enough.
ONE_DATABASE: Final = pytest.mark.parametrize("_database_kind", ["sqlite"], indirect=True)


@ONE_DATABASE
async def test_the_page_offers_what_the_declaration_allows_and_nothing_else(office: Office) -> None:
    people = await everybody(office)
    leader = people["leader"].who.row.staff_id
    for at, state in enumerate(WAYS):
        record = await brought(office, state, leader)
        # A clerk sees each state, the others in turn.
        for role in {"clerk", _PEOPLE[at % len(_PEOPLE)], *(_PEOPLE if state == "passed_up" else ())}:
            one = people[role]
            page = await one.see(f"/matters/{record}")
            if role == "county_handler" and state != "passed_up":
                assert page.status_code == 404
                continue
            assert page.status_code == 200, (role, state, page.text)
            declared = {step.name for step in WORKFLOW.actions(state, role)} - TOGETHER
            assert steps_of(page.text) == declared, (role, state)


@ONE_DATABASE
@pytest.mark.slow
async def test_each_step_is_taken_by_each_role_that_may_and_refused_to_the_others(office: Office) -> None:
    people = await everybody(office)
    leader = people["leader"].who.row.staff_id
    for step in [one for one in WORKFLOW.transitions if one.name not in TOGETHER]:
        state = next(one for one in step.from_ if one in WAYS)
        record = await brought(office, state, leader)
        others = [one for one in _PEOPLE if one not in step.roles and _reaches(one, state)]
        for role in others[-1:]:
            refused = await people[role].send(f"/matters/{record}/steps/{step.name}", **FILLED, key=role)
            assert refused.status_code == 403, (step.name, role, refused.text)
        assert (await office.server.state(record)).state == state
        for role in [one for one in _PEOPLE if one in step.roles and _reaches(one, state)]:
            fresh = await brought(office, state, leader)
            path = f"/matters/{fresh}/steps/{step.name}"
            done = await people[role].send(path, **FILLED, key="k")
            assert done.status_code == 200, (step.name, role, done.text)
            assert (await office.server.state(fresh)).state == step.to, (step.name, role)


async def test_whoever_has_no_part_in_the_console_sees_no_case(office: Office) -> None:
    record = await office.matter()
    observer = await desk(office, "county_observer")
    assert (await observer.see(f"/matters/{record}")).status_code == 403


def _reaches(role: str, state: str) -> bool:
    return role != "county_handler" or state == "passed_up"
