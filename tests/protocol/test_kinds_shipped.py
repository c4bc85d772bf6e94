"""The kinds that ship say what the field's own description says (domain: Kinds, States, Codes)."""

import msgspec
import pytest

from sync_protocol.kinds import Kind, Workflow, code_tables, dump, from_json, parse, shape, shipped, to_json

KINDS = ["external_counts", "matter", "observation", "reception", "round_report", "task", "visit"]
FIELD = {"grid_worker", "village_officer"}


def workflow(name: str = "matter") -> Workflow:
    flow = shipped()[name].workflow
    assert flow is not None
    return flow


def walk(flow: Workflow, *steps: tuple[str, str]) -> str:
    """The state after these (role, action) steps from the initial one; a step that may not be done fails."""
    state = flow.initial
    for role, action in steps:
        allowed = {transition.name: transition for transition in flow.actions(state, role)}
        assert action in allowed, f"{role} may not {action} in {state}"
        state = allowed[action].to
    return state


# --- all kinds ------------------------------------------------------------------------------------


def test_the_kinds_that_ship() -> None:
    assert sorted(shipped()) == KINDS
    assert all(name == kind.name and kind.version == 1 for name, kind in shipped().items())


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_travels_unchanged(name: str) -> None:
    kind = shipped()[name]
    assert from_json(to_json(kind)) == kind
    assert parse(dump(kind), "dumped.toml") == kind


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_leaves_devices_by_a_state_or_by_age(name: str) -> None:
    kind = shipped()[name]
    closing = kind.workflow is not None and any(state.closed for state in kind.workflow.states)
    assert closing != (kind.keep_days is not None)


@pytest.mark.parametrize("name", KINDS)
def test_words_are_given_in_both_languages(name: str) -> None:
    kind = shipped()[name]
    titles = [kind.title, *(field.title for field in kind.fields.values())]
    titles += [sub.title for field in kind.fields.values() for sub in field.of]
    if kind.workflow is not None:
        titles += [state.title for state in kind.workflow.states]
        titles += [transition.title for transition in kind.workflow.transitions]
    assert all(any("一" <= char <= "鿿" for char in title.zh) for title in titles)
    assert all(title.en.isascii() and title.en for title in titles)


@pytest.mark.parametrize("name", KINDS)
def test_only_parties_have_contacts(name: str) -> None:
    for field in shipped()[name].fields.values():
        contacts = {part.name for part in (field, *field.of) if part.privacy == "contact"}
        assert contacts == ({"parties", "name", "contact"} if field.name == "parties" else set())


@pytest.mark.parametrize("name", KINDS)
def test_positions_are_of_class_location_and_long_texts_are_narratives(name: str) -> None:
    for field in shipped()[name].fields.values():
        assert (field.privacy == "location") == (field.name in {"point", "place_description"})
        for part in (field, *field.of):
            if part.merge == "text":
                assert part.privacy == "narrative"


# --- the matter -----------------------------------------------------------------------------------


def rules(kind: Kind) -> dict[str, str]:
    return {name: field.merge for name, field in kind.fields.items()}


def test_a_matter_holds_what_the_field_describes() -> None:
    matter = shipped()["matter"]
    assert list(matter.fields) == [
        *["nature", "title", "narrative", "category", "service_category", "scale", "people_involved"],
        *[
            "units_involved",
            "place_description",
            "point",
            "found_at",
            "source",
            "urgency",
            "level",
            "restricted",
        ],
        *["first_contact", "first_contact_at", "earlier_matter", "parent", "tags", "claims", "parties"],
        *["measures", "opinions", "mediations", "hearings", "verifications", "notices", "decisions"],
        *["assistance", "answers", "follow_ups", "references", "state"],
    ]
    assert [name for name, field in matter.fields.items() if field.required] == ["title"]


def test_five_people_and_five_people_are_not_ten() -> None:
    merge = rules(shipped()["matter"])
    assert merge["people_involved"] == "review"
    assert merge["narrative"] == "text"
    assert merge["tags"] == "union"
    assert merge["title"] == "latest"
    assert merge["state"] == "workflow"
    assert {name for name, rule in merge.items() if rule == "entries"} == {
        *["claims", "parties", "measures", "opinions", "mediations", "hearings", "verifications", "notices"],
        *["decisions", "assistance", "answers", "follow_ups", "references"],
    }


def test_persons_at_a_reception_add_up() -> None:
    merge = rules(shipped()["reception"])
    assert [name for name, rule in merge.items() if rule == "sum"] == ["groups", "persons"]


def test_the_contracts_example_fits() -> None:
    matter = shape(shipped()["matter"])
    raw = msgspec.json.encode({"title": "宅基界址争议", "category": "02"})
    assert msgspec.json.decode(matter.check_create(raw)) == {"category": "02", "title": "宅基界址争议"}
    assert matter.check_entry("measures", msgspec.json.encode({"text": "现场劝导"}), partial=False)
    assert matter.check_element("tags", "road") == "road"


def test_states_are_those_of_the_field() -> None:
    states = {state.name: state for state in workflow().states}
    assert list(states) == [
        *["draft", "reported", "settled", "returned", "accepted", "assigned", "handling", "passed_up"],
        *["handed_back", "resolved", "answered", "under_review", "reopened", "joined", "closed"],
        *["archived", "not_accepted", "referred", "void"],
    ]
    assert [name for name, state in states.items() if not state.numbered] == ["draft"]
    assert {name for name, state in states.items() if state.closed} == {
        *["closed", "archived", "not_accepted", "referred", "void"],
    }
    assert (states["returned"].title.zh, states["not_accepted"].title.zh) == ("退回补正", "不予受理")


def test_a_matter_goes_the_whole_way() -> None:
    assert (
        walk(
            workflow(),
            *[
                ("grid_worker", "report"),
                ("clerk", "accept"),
                ("clerk", "assign"),
                ("unit_handler", "handle"),
            ],
            *[("unit_handler", "resolve"), ("clerk", "answer"), ("clerk", "close"), ("clerk", "archive")],
        )
        == "archived"
    )


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([("grid_worker", "report"), ("grid_worker", "settle"), ("clerk", "close")], "closed"),
        (
            [("village_officer", "report"), ("village_officer", "settle"), ("village_officer", "close")],
            "closed",
        ),
        ([("grid_worker", "report"), ("clerk", "return"), ("grid_worker", "report")], "reported"),
        ([("application", "report"), ("clerk", "not_accept")], "not_accepted"),
        (
            [("grid_worker", "report"), ("clerk", "refer"), ("clerk", "reopen"), ("clerk", "accept")],
            "accepted",
        ),
        (
            [
                ("clerk", "report"),
                ("clerk", "accept"),
                ("leader", "pass_up"),
                ("county_handler", "hand_back"),
            ],
            "handed_back",
        ),
        (
            [("clerk", "report"), ("clerk", "accept"), ("clerk", "pass_up"), ("county_handler", "resolve")],
            "resolved",
        ),
        ([("clerk", "report"), ("clerk", "settle"), ("clerk", "close"), ("clerk", "review")], "under_review"),
        ([("clerk", "report"), ("clerk", "settle"), ("clerk", "close"), ("clerk", "reopen")], "reopened"),
        ([("clerk", "report"), ("clerk", "void")], "void"),
    ],
)
def test_the_other_ways(steps: list[tuple[str, str]], state: str) -> None:
    assert walk(workflow(), *steps) == state


def test_the_field_decides_nothing_that_is_the_offices() -> None:
    worker = {transition.name for transition in workflow().transitions if "grid_worker" in transition.roles}
    assert worker == {"report", "settle"}
    office = {transition.name for transition in workflow().transitions if transition.office}
    assert {"accept", "not_accept", "assign", "pass_up", "refer", "reopen", "void", "archive"} <= office
    assert office.isdisjoint(worker)
    assert all("county_observer" not in transition.roles for transition in workflow().transitions)


def test_closing_needs_the_answer_and_the_follow_up_or_a_reason() -> None:
    close = workflow().transition("close", "answered")
    assert close is not None
    assert close.missing({"answers", "follow_ups"}) == ()
    assert close.missing({"reason"}) == ()
    assert close.missing({"answers"}) == ("follow_ups | reason",)
    assert close.missing(set()) == ("answers | reason", "follow_ups | reason")


@pytest.mark.parametrize(
    "name", ["return", "not_accept", "pass_up", "hand_back", "review", "reopen", "refer", "void"]
)
def test_what_somebody_must_be_told_needs_a_reason(name: str) -> None:
    assert [t.missing({"note"}) for t in workflow().transitions if t.name == name] == [("reason",)]


def test_every_numbered_matter_can_be_voided_and_no_draft() -> None:
    void = next(transition for transition in workflow().transitions if transition.name == "void")
    assert set(void.from_) == {state.name for state in workflow().states if state.numbered} - {"void"}


def test_no_closed_matter_stays_closed_for_ever_but_a_void_one() -> None:
    flow = workflow()
    ends = {state.name for state in flow.states if not any(state.name in t.from_ for t in flow.transitions)}
    assert ends == {"void"}


def test_a_task_goes_down_and_its_result_comes_back() -> None:
    task = workflow("task")
    assert walk(task, ("grid_worker", "finish"), ("clerk", "accept")) == "accepted"
    assert (
        walk(task, ("grid_worker", "refuse"), ("clerk", "assign_again"), ("grid_worker", "finish")) == "done"
    )
    assert walk(task, ("clerk", "withdraw")) == "withdrawn"
    assert task.actions("done", "grid_worker") == ()
    assert "grid_worker" not in shipped()["task"].roles


# --- codes ----------------------------------------------------------------------------------------


def test_code_tables_name_their_source_and_are_used() -> None:
    used = {
        part.codes
        for kind in shipped().values()
        for field in kind.fields.values()
        for part in (field, *field.of)
    }
    assert set(code_tables()) == used - {None}
    for name, table in code_tables().items():
        assert table.name == name
        assert table.source
        assert len({choice.code for choice in table.codes}) == len(table.codes)


def test_the_codes_of_the_field() -> None:
    tables = {name: [choice.code for choice in table.codes] for name, table in code_tables().items()}
    assert tables["scale"] == ["01", "02", "03"]
    assert tables["dispute_category"] == [*(f"{n:02}" for n in range(1, 18)), "99"]
    assert [len(tables[name]) for name in ("service_category", "way_of_resolving", "nature", "level")] == [
        13,
        9,
        4,
        3,
    ]
    words = {choice.code: choice.zh for choice in code_tables()["dispute_category"].codes}
    assert (words["02"], words["08"], words["17"]) == ("邻里", "征地拆迁", "互联网")
