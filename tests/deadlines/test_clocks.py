"""What happened to a record, and the rules: the deadlines that follow, and what is told of them. Pure."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server.deadlines.shipped import shipped_rules
from server.reckoning.clocks import Deadline, Extension, Moment, deadlines
from server.reckoning.rules import Escalation, Happening, Length, Rule, Span
from server.reckoning.steps import SORTS, Steps, steps
from server.reckoning.workdays import Calendar, calendar_of
from sync_protocol.kinds import Title, shipped
from tests.deadlines.desk import DAY_MS, HOUR_MS, at

RULES = shipped_rules().rules
CALENDAR = calendar_of(shipped_rules())
START = at("2026-03-02 10:00")
ENDS = ("resolved", "closed", "void")


def rule(**other: object) -> Rule:
    given = {
        "title": Title("试", "Test"),
        "source": "test",
        "start": Happening(entered=("reported", "reopened")),
        "met": Happening(entered=ENDS, written=("measures",)),
        "length": Length(days=10),
        "warn": Span(days=2),
        "explain": True,
        "escalate": Escalation("leader", ("supervise",), Span(days=5)),
        **other,
    }
    return Rule(**given)  # type: ignore[arg-type]  # of a dict


def moment(n: int, day: float, state: str | None = None, **other: object) -> Moment:
    return Moment(n, START + int(day * DAY_MS), state, **other)  # type: ignore[arg-type]  # of a dict


def reckoned(what: Rule, *moments: Moment) -> list[tuple[int, str, float | None]]:
    """Number of the start, status, and after how many days it ended."""
    found = deadlines(moments, {"it": what}, CALENDAR)
    return [
        (one.started_n, one.status, None if one.ended_ms is None else (one.ended_ms - START) / DAY_MS)
        for one in found
    ]


def test_a_clock_runs_from_the_start_until_what_is_asked_for() -> None:
    assert reckoned(rule(), moment(1, 0, "draft")) == []
    assert reckoned(rule(), moment(1, 0, "reported")) == [(1, "running", None)]
    assert reckoned(rule(), moment(1, 0, "reported"), moment(2, 3, "resolved")) == [(1, "met", 3)]
    written = moment(2, 4, written=frozenset({"measures"}))
    assert reckoned(rule(), moment(1, 0, "reported"), written) == [(1, "met", 4)]


def test_a_further_start_is_none_unless_the_rule_says_so() -> None:
    twice = moment(1, 0, "reported"), moment(2, 3, "reported")
    assert reckoned(rule(), *twice) == [(1, "running", None)]
    assert reckoned(rule(restarts=True), *twice) == [(1, "dropped", 3), (2, "running", None)]


def test_each_time_that_it_is_reopened_has_a_deadline_of_its_own() -> None:
    found = reckoned(rule(), moment(1, 0, "reported"), moment(2, 3, "closed"), moment(3, 9, "reopened"))
    assert found == [(1, "met", 3), (3, "running", None)]


def test_a_rule_counts_from_when_it_applies_and_no_longer() -> None:
    urgent = rule(when={"urgency": ("same_day",)})
    came, raised = moment(1, 0, "reported"), moment(2, 5, facts={"urgency": "same_day"})
    assert reckoned(urgent, came) == []
    assert reckoned(urgent, came, raised) == [(2, "running", None)]
    lowered = moment(3, 6, facts={"urgency": None})
    assert reckoned(urgent, came, raised, lowered) == [(2, "dropped", 6)]
    assert reckoned(urgent, moment(1, 0, "reported"), moment(2, 1, "closed"), raised) == []
    found = rule(unless={"source": ("screening",)})
    assert reckoned(found, moment(1, 0, "reported", facts={"source": "screening"})) == []
    assert reckoned(found, moment(1, 0, "reported", facts={"source": "letter"})) == [(1, "running", None)]


def test_what_is_deleted_has_no_deadline_any_more() -> None:
    assert reckoned(rule(), moment(1, 0, "reported"), moment(2, 1, gone=True)) == [(1, "dropped", 1)]


def told(what: Rule, deadline: Deadline, since_day: float = -1, **before: float) -> dict[str, float]:
    """What is still to be told, after how many days; `before` is what was, for which date."""
    known = {sort: START + int(day * DAY_MS) for sort, day in before.items()}
    left = steps(deadline, what, CALENDAR, known, START + int(since_day * DAY_MS))  # type: ignore[arg-type]  # names of sorts
    return {sort: (ms - START) / DAY_MS for sort in SORTS if (ms := getattr(left, sort)) is not None}


def one(*moments: Moment, extensions: list[Extension] | None = None, **other: object) -> Deadline:
    return deadlines(moments, {"it": rule(**other)}, CALENDAR, extensions or [])[-1]


def test_what_is_told_of_a_deadline_follows_from_when_it_ended() -> None:
    everything = {"warning": 8.0, "explanation": 10.0, "escalation": 15.0}
    assert told(rule(), one(moment(1, 0, "reported"))) == everything
    for day, expected in ((8, 0), (8.01, 1), (10, 1), (10.01, 2), (15, 2), (15.01, 3)):
        ended = one(moment(1, 0, "reported"), moment(2, day, "resolved"))
        assert told(rule(), ended) == dict(list(everything.items())[:expected]), day


def test_nothing_is_told_twice_and_a_later_date_is_another() -> None:
    running = one(moment(1, 0, "reported"))
    assert told(rule(), running, warning=10, explanation=10) == {"escalation": 15}
    granted = one(moment(1, 0, "reported"), extensions=[Extension("it", 1, Span(days=30))])
    assert told(rule(), granted, warning=10, explanation=10) == {
        "warning": 38,
        "explanation": 40,
        "escalation": 45,
    }
    # A date that is earlier than one that was told of already.
    assert told(rule(), running, warning=40, explanation=40) == {"escalation": 15}


def test_a_rule_that_comes_into_force_later_tells_nothing_of_what_is_over() -> None:
    ended = one(moment(1, 0, "reported"), moment(2, 20, "resolved"))
    assert told(rule(), ended, since_day=30) == {}
    assert told(rule(), ended, since_day=12) == {"escalation": 15}
    running = one(moment(1, 0, "reported"))
    assert told(rule(), running, since_day=30) == {"explanation": 10, "escalation": 15}


def test_a_time_too_short_for_a_warning_has_none() -> None:
    short = rule(length=Length(hours=24), warn=Span(days=2))
    assert "warning" not in told(short, one(moment(1, 0, "reported"), length=Length(hours=24)))


def test_an_extension_counts_for_its_own_start_only() -> None:
    other = [Extension("it", 2, Span(days=30)), Extension("another", 1, Span(days=30))]
    assert one(moment(1, 0, "reported"), extensions=other).due_ms == START + 10 * DAY_MS
    twice = [Extension("it", 1, Span(days=30)), Extension("it", 1, Span(days=5))]
    assert one(moment(1, 0, "reported"), extensions=twice).due_ms == START + 45 * DAY_MS


# --- the rules that ship ----------------------------------------------------------------------------


def test_the_shipped_rules_say_what_the_practice_and_the_law_say() -> None:
    lengths = {name: rule.length.given for name, rule in RULES.items()}
    assert lengths == {
        "same_day": {"days": 0}, "accelerated": {"days": 7}, "tracked": {"months": 1},
        "small_within_a_day": {"days": 1}, "large_within_a_week": {"days": 7}, "hard_within_a_month": {"months": 1},
        "owner_by_night": {"days": 0}, "feedback": {"working_days": 3}, "resolve": {"days": 30},
        "statutory_reply": {"days": 15}, "statutory_resolve": {"days": 60}, "statutory_review": {"days": 30},
    }  # fmt: skip
    assert {name for name, rule in RULES.items() if rule.length.ends == "day"} == {
        "same_day",
        "owner_by_night",
    }
    assert {name for name, rule in RULES.items() if rule.explain} == {"resolve", "statutory_resolve"}
    resolve, law = RULES["resolve"], RULES["statutory_resolve"]
    assert resolve.escalate is not None
    assert resolve.escalate.after.given == {"days": 15}
    assert law.extension is not None
    assert (law.extension.by.given, law.extension.approver) == ({"days": 30}, "leader")


Drawn = list[tuple[int, str | None, dict[str, str], frozenset[str]]]
STATES = [state.name for state in shipped()["matter"].workflow.states]  # type: ignore[union-attr]  # it has one
HISTORIES = st.lists(
    st.tuples(
        st.integers(1, 40 * 24),
        st.sampled_from([*STATES, None]),
        st.sampled_from(
            [{}, {"urgency": "same_day"}, {"level": "village"}, {"urgency": None}, {"source": "letter"}]
        ),
        st.sampled_from([frozenset(), frozenset({"measures"})]),
    ),
    max_size=12,
)


def history(drawn: Drawn) -> list[Moment]:
    at_ms, found = START, []
    for n, (hours, state, facts, written) in enumerate(drawn, 1):
        at_ms += hours * HOUR_MS
        found.append(Moment(n, at_ms, state, facts, written))
    return found


@given(HISTORIES)
def test_reckoned_again_it_is_the_same_and_what_has_ended_stays(
    drawn: Drawn,
) -> None:
    moments = history(drawn)
    final = {(d.rule, d.started_n): d for d in deadlines(moments, RULES, CALENDAR)}
    for upto in range(len(moments) + 1):
        then = deadlines(moments[:upto], RULES, CALENDAR)
        assert then == deadlines(moments[:upto], RULES, CALENDAR)
        for d in then:
            # What comes later neither moves a date nor changes what is over; it only ends what runs.
            later = final[(d.rule, d.started_n)]
            assert (later.started_ms, later.due_ms) == (d.started_ms, d.due_ms)
            assert d.status == "running" or later == d


@given(HISTORIES)
def test_a_rule_has_one_clock_at_a_time_and_none_ends_before_it_begins(
    drawn: Drawn,
) -> None:
    for name in RULES:
        of = sorted(
            (d for d in deadlines(history(drawn), RULES, CALENDAR) if d.rule == name),
            key=lambda d: d.started_n,
        )
        assert all(d.ended_ms is not None for d in of[:-1])
        assert all(d.ended_ms is None or d.ended_ms >= d.started_ms for d in of)
        assert all((a.ended_ms or 0) <= b.started_ms for a, b in pairwise(of))


@given(HISTORIES, st.integers(0, 90 * 24))
def test_the_longer_a_matter_takes_the_more_is_told(drawn: Drawn, hours: int) -> None:
    for d in deadlines(history(drawn), RULES, Calendar()):
        met = msgspec.structs.replace(d, status="met")
        ends = [d.started_ms + hours * HOUR_MS, d.started_ms + hours * HOUR_MS + DAY_MS]
        ended = [msgspec.structs.replace(met, ended_ms=ended_ms) for ended_ms in ends]
        less, more = (steps(one, RULES[d.rule], Calendar(), {}, 0) for one in ended)
        assert all(getattr(less, sort) in (None, getattr(more, sort)) for sort in SORTS)
        assert more == Steps() or more.next_ms is not None
