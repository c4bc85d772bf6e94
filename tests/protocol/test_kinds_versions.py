"""A new version of a kind adds, and takes nothing away."""

import msgspec
import pytest

from sync_protocol.kinds import Kind, compare, parse
from tests.protocol.kinds_texts import FLOW, WELL, changed


def next_version(text: str, *pairs: tuple[str, str]) -> Kind:
    text = changed(text, "version = 1", "version = 2")
    for old, new in pairs:
        text = changed(text, old, new)
    return parse(text, "new.toml")


def test_a_new_version_may_add_fields_choices_states_and_widen_limits() -> None:
    added = (
        '\n[fields.seen_on]\ntype = "date"\nmerge = "latest"\nprivacy = "plain"\n'
        'title = { zh = "日期", en = "On" }\n'
    )
    state = (
        '\n[workflow.states.checked]\ntitle = { zh = "已查", en = "Checked" }\n'
        '\n[workflow.transitions.check]\ntitle = { zh = "查", en = "Check" }\nfrom = ["done"]\n'
        'to = "checked"\nroles = ["clerk"]\n'
    )
    new = next_version(
        FLOW + added + state,
        ('    { code = "brown"', '    { code = "green", zh = "绿", en = "Green" },\n    { code = "brown"'),
        ("minimum = 0.0", "minimum = -5.0"),
        ("max_length = 300", "max_length = 500"),
        ("水深", "井水深度"),
        ("required = false", "required = true"),
    )
    assert compare(parse(FLOW, "old.toml"), new) == ()


# fmt: off
BROKEN = {
    "version": (("version = 2", "version = 1"), "kind.version", "not above"),
    "name": (('"well_check"', '"wells"'), "kind.name", "changes from well_check to wells"),
    "merge": (('merge = "latest"', 'merge = "review"'), "fields.depth.merge",
        "changes from latest to review"),
    "privacy": (('privacy = "plain"', 'privacy = "contact"'), "fields.depth.privacy", "changes from plain"),
    "unit": (('unit = "m"', 'unit = "cm"'), "fields.depth.unit", "changes from m to cm"),
    "type": (('type = "number"\nmerge = "latest"', 'type = "integer"\nmerge = "latest"'),
        "fields.depth.type", "changes from number to integer"),
    "choice gone": (('    { code = "brown", zh = "浑", en = "Brown" },\n', ""), "fields.colour.choices",
        "brown is gone"),
    "field gone": (("[fields.depth]", "[fields.deepness]"), "fields.depth", "is gone"),
    "sub-field gone": (("repairs.of.text", "repairs.of.words"), "fields.repairs.of.text", "is gone"),
    "minimum": (("minimum = 0.0", "minimum = 1.0"), "fields.depth.minimum", "narrows from 0.0 to 1.0"),
    "maximum": (('unit = "m"', 'unit = "m"\nmaximum = 9.0'), "fields.depth.maximum",
        "narrows from None to 9.0"),
    "length": (("max_length = 300", "max_length = 299"), "fields.repairs.of.text.max_length", "narrows"),
    "closed": (("closed = true\n", ""), "workflow.states.done", "numbered or closed changes"),
    "numbered": (("numbered = true\n", ""), "workflow.states.done", "numbered or closed changes"),
    "transition": (("transitions.finish", "transitions.complete"), "workflow.transitions.finish", "is gone"),
    "target": (('from = ["open"]\nto = "done"', 'from = ["open"]\nto = "open"'),
        "workflow.transitions.finish", "elsewhere"),
}
# fmt: on


@pytest.mark.parametrize("name", BROKEN)
def test_a_new_version_takes_nothing_away(name: str) -> None:
    pair, key, problem = BROKEN[name]
    text = FLOW.replace("needs =", "# needs =").replace("version = 1", "version = 2")
    if name == "target":
        text += (
            '\n[workflow.transitions.other]\ntitle = { zh = "另", en = "Other" }\n'
            'from = ["open"]\nto = "done"\nroles = ["clerk"]\n'
        )
    new = parse(changed(text, *pair), "new.toml")
    found = compare(parse(FLOW, "old.toml"), new, "new.toml")
    assert [finding.key for finding in found] == [key]
    assert problem in found[0].problem.en
    assert found[0].file == "new.toml"


REFERENCE = """
[fields.matter]
type = "reference"
merge = "latest"
privacy = "plain"
title = { zh = "事项", en = "Matter" }
of = "matter"

[fields.count]
type = "integer"
merge = "max"
privacy = "plain"
title = { zh = "数", en = "Count" }
maximum = 9
"""


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('of = "matter"', 'of = "task"', "fields.matter.of_kind"),
        ("maximum = 9", "maximum = 8", "fields.count.maximum"),
    ],
)
def test_where_a_reference_points_and_a_stated_maximum_stay(old: str, new: str, key: str) -> None:
    found = compare(parse(WELL + REFERENCE, "w"), next_version(WELL + REFERENCE, (old, new)))
    assert [finding.key for finding in found] == [key]
    assert compare(parse(WELL + REFERENCE, "w"), next_version(WELL + REFERENCE, ("maximum = 9", ""))) == ()


def test_a_transition_keeps_its_starts_and_a_workflow_its_initial_state() -> None:
    back = (
        '\n[workflow.transitions.redo]\ntitle = { zh = "重办", en = "Redo" }\nfrom = ["done"]\nto = "open"\n'
        'roles = ["clerk"]\n'
    )
    old = FLOW + back
    initial = compare(parse(old, "w"), next_version(old, ('initial = "open"', 'initial = "done"')))
    assert [finding.key for finding in initial] == ["workflow.initial"]
    wide = old.replace('from = ["open"]', 'from = ["open", "done"]')
    assert compare(parse(old, "w"), next_version(wide)) == ()
    narrow = compare(parse(wide, "w"), next_version(old))
    assert [finding.key for finding in narrow] == ["workflow.transitions.finish"]


def test_a_workflow_neither_appears_nor_disappears() -> None:
    plain, flow = parse(WELL, "w"), parse(FLOW, "w")
    assert [finding.key for finding in compare(plain, msgspec.structs.replace(flow, version=2))] == [
        "workflow"
    ]
    assert [finding.key for finding in compare(flow, msgspec.structs.replace(plain, version=2))] == [
        "workflow"
    ]


def test_a_state_that_is_gone_is_named() -> None:
    gone = FLOW.replace("states.done", "states.finished").replace('to = "done"', 'to = "finished"')
    keys = [finding.key for finding in compare(parse(FLOW, "w"), next_version(gone))]
    assert keys == ["workflow.states.done", "workflow.transitions.finish"]
