"""Forms and the timeline as pure functions: what a form says of what it showed, what a change says in words."""

from typing import Any, Final

import pytest

from server.casefile.forms import inputs, sent_values
from server.casefile.timeline import RESULTS, moment
from server.declined import Declined
from server.records.views import EffectView, HistoryItem, WhoWhen
from server.saying import value_said
from sync_protocol.kinds import shipped

MATTER: Final = shipped()["matter"]
MINUTE_MS: Final = 60_000


def sent(name: str, shown: Any, typed: str) -> Any:
    """What a form says of one field that showed a value, once something was typed."""
    field = MATTER.fields[name]
    (one,) = inputs([field], {name: shown}, "zh")
    changed = sent_values([field], {f"was.{name}": [one.was], f"f.{name}": typed.split("|")})
    return changed.get(name, "untouched")


@pytest.mark.parametrize(
    ("name", "shown", "typed", "says"),
    [
        ("title", "水渠", "水渠", "untouched"),
        ("title", "水渠", "南渠", "南渠"),
        ("narrative", "一\n二", "一\r\n二", "untouched"),
        ("narrative", "一", "", None),
        ("people_involved", 5, "5", "untouched"),
        ("people_involved", 5, "6", 6),
        ("restricted", None, "no", False),
        ("restricted", True, "yes", "untouched"),
        ("found_at", "2026-03-01T02:30:45Z", "2026-03-01T10:30", "untouched"),
        ("found_at", "2026-03-01T02:30:45Z", "2026-03-01T10:31", "2026-03-01T10:31:00+08:00"),
        ("category", "02", "", None),
    ],
)
def test_only_what_was_touched_is_said(name: str, shown: Any, typed: str, says: Any) -> None:
    assert sent(name, shown, typed) == says


def test_members_of_a_set_are_said_as_a_whole() -> None:
    codes = sorted(one.code for one in MATTER.fields["tags"].choices)[:2]
    assert sent("tags", codes, "|".join(reversed(codes))) == "untouched"
    assert sent("tags", codes, codes[0]) == [codes[0]]
    assert sent("tags", codes, "") == []


def test_what_is_no_number_is_declined_by_field() -> None:
    with pytest.raises(Declined) as refused:
        sent("people_involved", None, "五")
    assert refused.value.extra["field"] == "people_involved"


def test_the_state_is_in_no_form() -> None:
    asked = {one.name for one in inputs(MATTER.fields.values(), {}, "zh")}
    assert "title" in asked
    assert "state" not in asked


def item(*effects: EffectView, uncertainty_ms: int = 0, late_ms: int = 0, **more: Any) -> HistoryItem:
    """A change of the history."""
    who = WhoWhen(
        author="a",
        author_name="王芳",
        role="grid_worker",
        at_ms=0,
        estimated_ms=0,
        uncertainty_ms=uncertainty_ms,
        received_ms=late_ms,
    )
    given = {
        "result": "merged",
        "do": "edit",
        "action": None,
        "note": None,
        "reason": None,
        "into": None,
        **more,
    }
    return HistoryItem(
        change="c",
        n=1,
        who=who,
        code=None,
        origin=None,
        decides=None,
        fields={},
        effects=list(effects),
        **given,
    )


def test_a_time_that_may_be_off_is_marked_and_one_that_came_late_is_told_twice() -> None:
    assert not moment(item(uncertainty_ms=2 * MINUTE_MS), MATTER, "zh").uncertain
    doubtful = moment(item(uncertainty_ms=2 * MINUTE_MS + 1, late_ms=3 * MINUTE_MS), MATTER, "zh")
    assert doubtful.uncertain
    assert doubtful.late


def test_a_change_says_from_what_to_what_by_titles_and_codes() -> None:
    entry = "0" * 8
    told = moment(
        item(
            EffectView("category", "01", "02"),
            EffectView("state", "reported", "accepted"),
            EffectView(f"measures/{entry}/text", None, "上门"),
            EffectView(f"answers/{entry}", None, {"text": "已修好"}),
        ),
        MATTER,
        "zh",
    )
    assert [(one.label, one.before, one.after) for one in told.altered] == [
        ("矛盾纠纷类别", "婚姻家庭", "邻里"),
        ("状态", "已上报", "已受理"),
        ("办理措施 · 内容", "", "上门"),
        ("答复", "", "答复内容：已修好"),
    ]


def test_every_result_has_words_and_no_worker_reads_of_a_clash() -> None:
    for result, title in RESULTS.items():
        assert moment(item(result=result), MATTER, "zh").result_said == title.zh
        assert "冲突" not in title.zh


def test_a_step_is_called_by_its_title_with_its_note_and_reason() -> None:
    told = moment(item(action="pass_up", note="附材料", reason="跨镇"), MATTER, "zh")
    assert (told.what, told.words) == ("提级办理", ["附材料", "跨镇"])


def test_a_value_of_a_field_that_nobody_knows_is_said_as_it_is() -> None:
    assert value_said(None, 3, "zh") == "3"
    assert value_said(MATTER.fields["category"], "77", "zh") == "77"
