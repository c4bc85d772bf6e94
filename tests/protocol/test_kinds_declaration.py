"""What a declaration says is what the kind holds, and it survives every way it travels."""

import tomllib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_protocol.kinds import Choice, KindError, dump, from_json, parse, parse_table, shipped, to_json
from sync_protocol.kinds.toml_lines import lines
from tests.protocol.kinds_texts import FLOW, WELL, changed


def test_the_contracts_example_is_read() -> None:
    kind = parse(WELL, "well.toml")
    assert kind.key == ("well_check", 1)
    assert list(kind.fields) == ["depth", "colour", "repairs"]
    depth = kind.field("depth")
    assert depth is not None
    assert (depth.type, depth.merge, depth.privacy, depth.unit) == ("number", "latest", "plain", "m")
    assert (depth.minimum, depth.maximum, depth.required) == (0.0, None, False)
    assert (depth.title.zh, depth.title.en) == ("水深", "Depth")
    colour = kind.fields["colour"]
    assert colour.choices == (Choice("clear", "清", "Clear"), Choice("brown", "浑", "Brown"))
    text = kind.fields["repairs"].sub_field("text")
    assert text is not None
    assert (text.max_length, text.merge, text.privacy) == (300, "latest", "narrative")
    assert kind.fields["repairs"].sub_field("nothing") is None
    assert kind.field("nothing") is None


def test_a_kind_without_workflow_has_no_state_and_days_to_keep() -> None:
    kind = parse(WELL, "well.toml")
    assert kind.workflow is None
    assert kind.field("state") is None
    assert kind.keep_days == 90
    assert parse(changed(WELL, "version = 1", "version = 1\nkeep_days = 7"), "w").keep_days == 7


def test_a_workflow_brings_the_field_state() -> None:
    kind = parse(FLOW, "well.toml")
    state = kind.field("state")
    assert state is not None
    assert (state.type, state.merge, state.privacy) == ("choice", "workflow", "plain")
    assert [choice.code for choice in state.choices] == ["open", "done"]
    assert kind.keep_days is None


def test_a_workflow_says_who_may_do_what() -> None:
    workflow = parse(FLOW, "well.toml").workflow
    assert workflow is not None
    finish = workflow.transition("finish", "open")
    assert finish is not None
    assert finish.to == "done"
    assert workflow.transition("finish", "done") is None
    assert workflow.transition("begin", "open") is None
    assert workflow.actions("open", "grid_worker") == (finish,)
    assert workflow.actions("open", "leader") == ()
    assert workflow.actions("done", "grid_worker") == ()
    done = workflow.state("done")
    assert done is not None
    assert (done.numbered, done.closed) == (True, True)
    assert workflow.state("gone") is None


def test_a_need_is_met_by_either_alternative() -> None:
    workflow = parse(FLOW, "well.toml").workflow
    assert workflow is not None
    finish = workflow.transitions[0]
    assert finish.missing({"depth", "reason"}) == ()
    assert finish.missing({"depth", "repairs"}) == ()
    assert finish.missing({"depth"}) == ("repairs | reason",)
    assert finish.missing(set()) == ("repairs | reason", "depth")


def test_a_transition_is_the_offices_when_nobody_else_may_do_it() -> None:
    def office(roles: str) -> bool:
        workflow = parse(changed(FLOW, '"grid_worker", "clerk"', roles), "w").workflow
        assert workflow is not None
        return workflow.transitions[0].office

    assert office('"clerk", "leader"')
    assert not office('"grid_worker", "clerk"')
    assert not office('"village_officer"')
    assert not office('"application"')


def test_a_kind_is_a_key_by_name_and_version() -> None:
    kind = parse(WELL, "a")
    assert hash(kind) == hash(parse(WELL, "b"))
    assert hash(kind) != hash(parse(WELL.replace("version = 1", "version = 2"), "c"))
    assert {kind: "found"}[parse(WELL, "d")] == "found"


@pytest.mark.parametrize("text", [WELL, FLOW], ids=["plain", "workflow"])
def test_a_declaration_survives_json_and_toml(text: str) -> None:
    kind = parse(text, "well.toml")
    assert from_json(to_json(kind)) == kind
    assert parse(dump(kind), "dumped.toml") == kind


def test_an_older_device_reads_a_declaration_with_keys_it_does_not_know() -> None:
    kind = parse(WELL, "well.toml")
    raw = msgspec.json.decode(to_json(kind))
    raw["added_later"] = 1
    raw["fields"]["depth"]["added_later"] = {"x": 1}
    assert from_json(msgspec.json.encode(raw)) == kind


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.strip() != ""))
@example("\x7f")
@example('"\\')
def test_any_title_survives_toml(title: str) -> None:
    kind = parse(WELL, "well.toml")
    named = msgspec.structs.replace(kind, title=msgspec.structs.replace(kind.title, zh=title))
    assert tomllib.loads(dump(named))["kind"]["title"]["zh"] == title


TABLE = """\
name = "scale"
title = { zh = "规模", en = "Scale" }
source = "here"
codes = [{ code = "9", zh = "九", en = "Nine" }]
"""


def test_a_township_replaces_a_code_table() -> None:
    table = parse_table(TABLE, "scale.toml")
    matter = shipped()["matter"]
    replaced = matter.with_codes({"scale": table})
    assert [choice.code for choice in replaced.fields["scale"].choices] == ["9"]
    assert replaced.fields["category"] == matter.fields["category"]
    assert [choice.code for choice in matter.fields["scale"].choices] == ["01", "02", "03"]


def test_a_township_replaces_the_codes_of_sub_fields_too() -> None:
    table = msgspec.structs.replace(parse_table(TABLE, "t"), name="channel")
    answers = shipped()["matter"].with_codes({"channel": table}).fields["answers"]
    channel = answers.sub_field("channel")
    assert channel is not None
    assert [choice.code for choice in channel.choices] == ["9"]


def test_a_code_table_without_a_source_is_refused() -> None:
    with pytest.raises(KindError) as caught:
        parse_table(TABLE.replace('source = "here"\n', ""), "scale.toml")
    assert [finding.key for finding in caught.value.findings] == ["source"]


def test_the_lines_of_keys_are_found_everywhere_toml_allows_them() -> None:
    text = (
        "# a = 0\n"
        'a."b.c" = """\n'
        "[x]\n"
        'y = 1"""\n'
        "list = [1, # ]\n"
        "  { k = '#]', l = 2 },\n"
        "]\n"
        "d.e = 1\n"
        "d.f = 2\n"
        "[[rows]]\n"
        "n = 1\n"
        "[[rows]]\n"
        "n = 2\n"
        "[rows.sub]\n"
        "when = 1979-05-27 07:32:00\n"
        "quoted = '''it's'''\n"
        'last = "\\"]"\n'
    )
    found = lines(text)
    assert tomllib.loads(text)["rows"][1]["sub"]["last"] == '"]'
    assert found[("a", "b.c")] == 2
    assert ("x",) not in found
    assert found[("list",)] == 5
    assert found[("list", 0)] == 5
    assert found[("list", 1, "l")] == 6
    assert found[("rows", 0, "n")] == 11
    assert (found[("d",)], found[("d", "f")]) == (8, 9)
    assert found[("rows", 1, "n")] == 13
    assert found[("rows", 1, "sub")] == 14
    assert found[("rows", 1, "sub", "last")] == 17
