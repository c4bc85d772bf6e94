"""What is wrong with a declaration is named all at once: file, line, what, and what to write instead."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.kinds import Kind, KindError, code_tables, dump, parse, shipped
from tests.protocol.kinds_texts import FLOW, WELL, changed, findings, only

# fmt: off
REFUSED = {
    "name of the kind": ('"well_check"', '"Well-check"', 2, "kind.name", "not a name", "small letters"),
    "one letter": ('"well_check"', '"w"', 2, "kind.name", "not a name", "2 to 41"),
    "trailing newline": ('"well_check"', '"well_check\\n"', 2, "kind.name", "not a name", "small letters"),
    "version 0": ("version = 1", "version = 0", 3, "kind.version", "out of range", "Write 1 to"),
    "version a text": ("version = 1", 'version = "1"', 3, "kind.version", "not a whole number",
        "whole number"),
    "version true": ("version = 1", "version = true", 3, "kind.version", "not a whole number",
        "whole number"),
    "no version": ("version = 1", "", 1, "kind.version", "missing", "version = "),
    "no English title": (', en = "Well check"', "", 4, "kind.title.en", "missing", "en = "),
    "empty Chinese title": ('zh = "水井检查"', 'zh = " "', 4, "kind.title.zh", "empty", "Write a text"),
    "title a text": ('{ zh = "水深", en = "Depth" }', '"Depth"', 10, "fields.depth.title", "not a table",
        "table"),
    "no title": ('title = { zh = "水深", en = "Depth" }', "", 6, "fields.depth.title", "missing",
        "title = {"),
    "unknown type": ('"number"', '"numbr"', 7, "fields.depth.type", "not known", "Did you mean number"),
    "unknown rule": ('merge = "latest"', 'merge = "lww"', 8, "fields.depth.merge", "not known",
        "Write one of"),
    "unknown privacy": ('"plain"', '"public"', 9, "fields.depth.privacy", "not known", "contact"),
    "no privacy": ('privacy = "plain"\n', "", 6, "fields.depth.privacy", "missing", "privacy = "),
    "no rule": ('merge = "latest"\n', "", 6, "fields.depth.merge", "missing", "merge = "),
    "field name": ("[fields.depth]", "[fields.Depth]", 6, "fields.Depth", "not a name", "small letters"),
    "reserved name": ("[fields.depth]", "[fields.grid]", 6, "fields.grid", "used by the system",
        "another name"),
    "unknown key": ("unit =", "units =", 13, "fields.depth.units", "not a key", "Did you mean unit"),
    "key of another type": ('unit = "m"', "max_length = 3", 13, "fields.depth.max_length", "nothing for",
        "Drop it"),
    "limits crossed": ('unit = "m"', "maximum = -1", 12, "fields.depth.minimum", "above", "Swap"),
    "limit not finite": ("minimum = 0.0", "minimum = inf", 12, "fields.depth.minimum", "cannot be a limit",
        "2^53"),
    "limit not a number": ("minimum = 0.0", "minimum = nan", 12, "fields.depth.minimum",
        "cannot be a limit", "2^53"),
    "text too long": ("max_length = 300", "max_length = 21846", 35, "fields.repairs.of.text.max_length",
        "range", "21845"),
    "rule unfit": ('"latest"', '"union"', 8, "fields.depth.merge", "does not fit the type number", "max"),
    "workflow declared": ('"latest"', '"workflow"', 8, "fields.depth.merge", "does not fit", "latest"),
    "choice twice": ('code = "brown"', 'code = "clear"', 22, "fields.colour.choices.1.code",
        "stands twice", "own"),
    "choice code": ('code = "brown"', 'code = "brown "', 22, "fields.colour.choices.1.code", "not a code",
        "letters"),
    "choice without en": (', en = "Brown"', "", 22, "fields.colour.choices.1.en", "missing", "en = "),
    "length 0": ("max_length = 300", "max_length = 0", 35, "fields.repairs.of.text.max_length", "range",
        "Write 1 to"),
    "entries required": ('"entries"\nprivacy', '"entries"\nrequired = true\nprivacy', 28,
        "fields.repairs.required", "may become empty", "Drop required"),
    "entries of rule latest": ('type = "entries"\nmerge = "entries"', 'type = "entries"\nmerge = "latest"', 27,
        "fields.repairs.merge", "does not fit", "entries"),
    "no choices": (
        '\n    { code = "clear", zh = "清", en = "Clear" },\n    { code = "brown", zh = "浑", en = "Brown" },\n]',
        "]", 20, "fields.colour.choices", "there are 0", "Write 1 to 500"),
    "set required": ('"choice"\nmerge = "latest"', '"choices"\nmerge = "union"\nrequired = true', 18,
        "fields.colour.required", "may become empty", "Drop required"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_named_with_its_line_and_the_remedy(name: str) -> None:
    old, new, line, key, problem, instead = REFUSED[name]
    finding = only(changed(WELL, old, new))
    assert (finding.file, finding.line, finding.key) == ("well.toml", line, key)
    assert problem in finding.problem.en
    assert instead in finding.write_instead.en
    assert any("一" <= char <= "鿿" for char in finding.problem.zh)
    assert any("一" <= char <= "鿿" for char in finding.write_instead.zh)
    assert str(finding).startswith(f"well.toml:{line}: {key}: ")


# fmt: off
FLOW_REFUSED = {
    "initial": ('initial = "open"', 'initial = "opened"', "workflow.initial", "no state 'opened'",
        "Did you mean open"),
    "from": ('from = ["open"]', 'from = ["open", "opne"]', "workflow.transitions.finish.from", "no state",
        "open"),
    "to": ('to = "done"', 'to = "gone"', "workflow.transitions.finish.to", "no state 'gone'", "done"),
    "no role": ('["grid_worker", "clerk"]', "[]", "workflow.transitions.finish.roles", "empty",
        "at least one"),
    "role": ('"clerk"]', '"clerks"]', "workflow.transitions.finish.roles", "no role 'clerks'",
        "Did you mean clerk"),
    "role twice": ('"clerk"]', '"grid_worker"]', "workflow.transitions.finish.roles", "stands twice",
        "Drop one"),
    "need": ('"depth"]', '"deptth"]', "workflow.transitions.finish.needs", "neither a field",
        "Did you mean depth"),
    "title": ('title = { zh = "完成", en = "Finish" }\n', "", "workflow.transitions.finish.title", "missing",
        "title ="),
    "keep_days": ("version = 1", "version = 1\nkeep_days = 3", "kind.keep_days", "leave devices",
        "Drop keep_days"),
}
# fmt: on


@pytest.mark.parametrize("name", FLOW_REFUSED)
def test_a_mistake_in_the_workflow_is_named(name: str) -> None:
    old, new, key, problem, instead = FLOW_REFUSED[name]
    found = {finding.key: finding for finding in findings(changed(FLOW, old, new))}
    assert problem in found[key].problem.en
    assert instead in found[key].write_instead.en
    assert found[key].line > 1


def test_a_state_that_cannot_be_reached_is_named() -> None:
    text = FLOW + '\n[workflow.states.lost]\ntitle = { zh = "失联", en = "Lost" }\n'
    finding = only(text)
    assert finding.key == "workflow.states.lost"
    assert finding.line == text[: text.index("[workflow.states.lost]")].count("\n") + 1
    assert "no transition leads here" in finding.problem.en


def test_every_finding_comes_at_once_and_in_order() -> None:
    text = (
        WELL.replace("version = 1", "version = -1")
        .replace('"number"', '"nr"')
        .replace("max_length", "longest")
    )
    found = findings(text)
    assert [finding.key for finding in found] == [
        "kind.version",
        "fields.depth.type",
        "fields.repairs.of.text.longest",
    ]
    with pytest.raises(KindError) as caught:
        parse(text, "well.toml")
    assert str(caught.value).count("\n") == 2


def test_a_choice_needs_choices_or_a_code_table_and_not_both() -> None:
    without = WELL[: WELL.index("choices = [")] + WELL[WELL.index("\n[fields.repairs]") :]
    assert "exactly one place" in only(without).problem.en
    both = WELL.replace("choices = [", 'codes = "scale"\nchoices = [')
    assert "exactly one place" in only(both).problem.en
    named = without.replace('en = "Colour" }\n', 'en = "Colour" }\ncodes = "scale"\n')
    field = parse(named, "w").fields["colour"]
    assert (field.codes, field.choices) == ("scale", code_tables()["scale"].codes)
    unknown = only(named.replace('"scale"', '"scales"'))
    assert "no code table" in unknown.problem.en
    assert "Did you mean scale" in unknown.write_instead.en


def test_entries_need_sub_fields_and_hold_no_entries() -> None:
    assert "missing" in only(WELL[: WELL.index("\n[fields.repairs.of.text]")]).problem.en
    nested = WELL.replace('type = "text"', 'type = "entries"').replace("max_length = 300\n", "")
    assert any("cannot hold entries" in finding.problem.en for finding in findings(nested))


@pytest.mark.parametrize("key", ["minimum", "maximum"])
def test_a_sum_has_no_limits(key: str) -> None:
    """+8 and +4 against a maximum of 10: which of the two would be refused depends on the order."""
    field = f"""
[fields.visits]
type = "integer"
merge = "sum"
privacy = "plain"
title = {{ zh = "次数", en = "Visits" }}
{key} = 10
"""
    finding = only(WELL + field)
    assert finding.key == f"fields.visits.{key}"
    assert "increments cannot keep them" in finding.problem.en
    assert finding.write_instead.en == f"Drop {key}"


def test_a_sub_field_neither_sums_nor_unites() -> None:
    text = WELL.replace("max_length = 300\n", "").replace('type = "text"', 'type = "integer"\nmerge = "sum"')
    finding = only(text)
    assert (finding.key, finding.line) == ("fields.repairs.of.text.merge", 33)
    assert "does not fit the type integer" in finding.problem.en
    assert finding.write_instead.en == "Write one of: latest, review"


def test_the_limit_of_a_whole_number_is_whole() -> None:
    text = WELL.replace('type = "number"', 'type = "integer"')
    assert repr(parse(text, "w").fields["depth"].minimum) == "0"
    finding = only(text.replace("minimum = 0.0", "minimum = 0.5"))
    assert finding.key == "fields.depth.minimum"
    assert "cannot be a limit" in finding.problem.en


def test_a_reference_names_a_kind() -> None:
    text = WELL.replace('type = "number"', 'type = "reference"').replace("minimum = 0.0\n", "")
    text = text.replace('unit = "m"', 'of = "matter"')
    assert parse(text, "w").fields["depth"].of_kind == "matter"
    assert only(text.replace('"matter"', '"Matter"')).key == "fields.depth.of"


def test_too_many_fields_are_refused() -> None:
    field = (
        '\n[fields.f{n}]\ntype = "boolean"\nmerge = "latest"\nprivacy = "plain"\n'
        'title = {{ zh = "某", en = "X" }}\n'
    )
    most = WELL + "".join(field.format(n=f"{n:03}") for n in range(197))
    assert len(parse(most, "w").fields) == 200
    finding = only(most + field.format(n="999"))
    assert finding.key == "fields"
    assert "201" in finding.problem.en
    assert "Write 1 to 200" in finding.write_instead.en


@pytest.mark.parametrize(
    "text",
    ["[kind\n", 'a = "', "a = 1\na = 2", "a = " + "[" * 3_000 + "]" * 3_000, "\0", "a = 1 b = 2"],
    ids=["header", "string", "twice", "deep", "NUL", "two on a line"],
)
def test_what_is_not_toml_is_one_finding(text: str) -> None:
    finding = only(text)
    assert "not TOML" in finding.problem.en
    assert finding.line >= 1


@pytest.mark.parametrize(
    "text", ["", "kind = 3", "fields = []", "workflow = 1", "[kind]\nname = []\n[fields]\n"]
)
def test_wrong_shapes_are_findings_never_other_errors(text: str) -> None:
    assert findings(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "merge", "title", "zh", "of", "choices", "x"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["kind", "fields", "workflow", "fields.depth", "workflow.states", "fields.repairs.of"]),
)
def test_any_toml_gives_a_kind_or_findings(value: object, key: str) -> None:
    text = f"{key}.zz = {_toml(value)}\n" + FLOW
    try:
        assert isinstance(parse(text, "w"), Kind)
    except KindError as error:
        assert error.findings  # noqa: PT017 - both outcomes are right, no third one is


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if value is None:
        return "2026-01-01"
    return msgspec.json.encode(value).decode().replace("null", "nan").replace("\x7f", "")


PERSONAL = [
    ("id_card", "证号", "Card", "identity"),
    ("idcard", "证号", "Card", "identity"),
    ("depth", "身份证号码", "Card", "identity"),
    ("depth", "身 份 证", "Card", "identity"),
    ("depth", "号码", "ID number", "identity"),
    ("depth", "护照号", "No", "identity"),
    ("ethnic_group", "某", "X", "ethnicity"),
    ("depth", "某", "ＩＤ card", "identity"),
    ("depth", "民族", "X", "ethnicity"),
    ("religion", "某", "X", "religion"),
    ("depth", "宗教信仰", "X", "religion"),
    ("health_status", "某", "X", "health"),
    ("depth", "既往病史", "X", "health"),
    ("depth", "健康状况", "X", "health"),
    ("depth", "思想动态", "X", "health"),
    ("depth", "某", "State of mind", "health"),
    ("key_person", "某", "X", "categories"),
    ("depth", "是否重点人员", "X", "categories"),
    ("depth", "上访次数", "X", "categories"),
    ("depth", "信访老户", "X", "categories"),
    ("depth", "信用分", "X", "categories"),
    ("depth", "某", "Person category", "categories"),
    ("depth", "某", "PersonLabel", "categories"),
    ("depth", "驾驶证号", "X", "identity"),
    ("depth", "人脸照片", "X", "identity"),
    ("depth", "某", "Biometrics", "identity"),
    ("depth", "某", "Nationalities", "ethnicity"),
    ("depth", "血型", "X", "health"),
    ("depth", "是否怀孕", "X", "health"),
    ("depth", "某", "Blood type", "health"),
    ("depth", "居民评分", "X", "categories"),
    ("depth", "人物画像", "X", "categories"),
    ("depth", "关注人员", "X", "categories"),
    ("depth", "某", "Resident score", "categories"),
    ("depth", "活动轨迹", "X", "movements"),
    ("depth", "某", "Whereabouts", "movements"),
]


@pytest.mark.parametrize(("name", "zh", "en", "what"), PERSONAL)
def test_fields_about_persons_are_refused_with_the_reason(name: str, zh: str, en: str, what: str) -> None:
    text = WELL.replace("[fields.depth]", f"[fields.{name}]").replace("水深", zh).replace("Depth", en)
    finding = only(text)
    assert (finding.key, finding.line) == (f"fields.{name}", 6)
    assert what in finding.problem.en
    assert "about matters, not about persons" in finding.write_instead.en
    assert "记事不记人" in finding.write_instead.zh


def test_sub_fields_and_kinds_about_persons_are_refused() -> None:
    assert "ethnicity" in only(WELL.replace("of.text", "of.ethnicity")).problem.en
    assert "health" in only(WELL.replace('"水井检查"', '"健康检查"')).problem.en
    assert "categories" in only(WELL.replace('"well_check"', '"key_persons"')).problem.en


@pytest.mark.parametrize(
    ("zh", "en", "what"),
    [
        ("重点人员", "X", "categories"),
        ("某", "Key person", "categories"),
        ("汉族", "Han", "ethnicity"),
        ("少数民族", "X", "ethnicity"),
        ("某", "Uyghur", "ethnicity"),
        ("信教群众、教徒", "X", "religion"),
        ("某", "Muslim", "religion"),
        ("精神障碍患者", "X", "health"),
        ("某", "Mentally ill", "health"),
        ("某", "High-risk person", "categories"),
    ],
)
def test_choices_that_sort_people_are_refused(zh: str, en: str, what: str) -> None:
    finding = only(WELL.replace("浑", zh).replace("Brown", en))
    assert finding.key == "fields.colour.choices.1.zh"
    assert what in finding.problem.en


@pytest.mark.parametrize(
    ("name", "zh", "en"),
    [
        ("idle_card", "卡片", "Idle card"),
        ("racecourse", "赛道", "Racecourse"),
        ("persons", "人次", "Persons"),
        ("people_involved", "涉及人数", "People involved"),
        ("satisfaction", "满意度", "Satisfaction"),
        ("certificate", "证件办理", "Certificate"),
        ("area_class", "土地面积分类", "Area class"),
        ("council", "文化中心理事会", "Council"),
        ("pump_fault", "水泵故障诊断", "Pump fault"),
        ("station", "村卫生室", "Health station"),
        ("walk", "健康步道", "Footpath"),
        ("herd", "动物疾病", "Animal disease"),
        ("ramp", "残疾人通道", "Disabled access"),
        ("gate", "小区指纹锁", "Gate lock"),
        ("trust", "善意取得", "Bought in good faith"),
        ("score_of_service", "服务评分", "Score of the service"),
        ("hazard_level", "风险等级", "Risk level"),
    ],
)
def test_fields_about_matters_are_not_taken_for_fields_about_persons(name: str, zh: str, en: str) -> None:
    text = WELL.replace("[fields.depth]", f"[fields.{name}]").replace("水深", zh).replace("Depth", en)
    assert name in parse(text, "w").fields


def test_a_medical_dispute_is_a_matter() -> None:
    kind = parse(WELL.replace("浑", "医疗纠纷、健康服务").replace("Brown", "Health services"), "w")
    assert kind.fields["colour"].choices[1].en == "Health services"


@pytest.mark.parametrize(("part", "title"), [("states.done", "已办"), ("transitions.finish", "完成")])
def test_states_and_steps_that_sort_people_are_refused(part: str, title: str) -> None:
    finding = only(FLOW.replace(title, "列为重点人员"))
    assert finding.key == f"workflow.{part}.title"
    assert "categories" in finding.problem.en
    assert parse(FLOW.replace(title, "医疗服务"), "w").workflow is not None


def test_days_of_keeping_are_read_and_written() -> None:
    text = WELL.replace("version = 1", "version = 1\nretain_days = 1095")
    kind = parse(text, "w")
    assert kind.retain_days == 1095
    assert parse(dump(kind), "w") == kind
    assert parse(WELL, "w").retain_days is None
    for wrong in ("0", "36501", '"x"'):
        assert only(text.replace("1095", wrong)).key == "kind.retain_days"


def test_every_kind_that_ships_and_is_about_people_says_how_long_it_is_kept() -> None:
    """Counts of other desks have nobody in them, and may stay."""
    assert {name for name, kind in shipped().items() if kind.retain_days is None} == {"external_counts"}
