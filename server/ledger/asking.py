"""What somebody asks the ledger: as it stands in an address, in a saved view and in the audit. Pure."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, get_args

import msgspec

from server.declined import invalid
from server.ledger.making import KIND
from server.reckoning.spans import ZONE
from server.storage.ledger_lists import Filter, Sort
from sync_protocol.ids import is_id, place_level
from sync_protocol.kinds import Kind

SOON_MS: Final = 3 * 86_400_000
"""What is due within three days is due soon."""
WORDS_MAX: Final = 5
WORDS_CHARS: Final = (2, 20)
NUMBER_CHARS_MAX: Final = 100
OPEN: Final = "open"
OVER: Final = "over"
"""Every state in which a matter is closed."""
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
CODED: Final = {
    "nature": "nature",
    "category": "category",
    "service": "service_category",
    "urgency": "urgency",
    "level": "level",
    "source": "source",
}
"""What a question calls them, and the field of the kind that declares their codes."""
_LEADER, _UNIT = "leader:", "unit:"


class Question(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which matters somebody asks for; what is None does not matter."""

    village: str | None = None
    grid: str | None = None
    nature: str | None = None
    category: str | None = None
    service: str | None = None
    state: str | None = None
    """A state of the workflow, `open`, or `over` for every closed one."""
    urgency: str | None = None
    level: str | None = None
    source: str | None = None
    due: str | None = None
    """`overdue` or `soon`."""
    charge: str | None = None
    """`leader:ID` or `unit:NAME`."""
    since: date | None = None
    until: date | None = None
    """The last day that counts. Days are those of Asia/Shanghai."""
    number: str | None = None
    """How the number begins, or that of another system."""
    words: str | None = None
    """Words of the title, separated by spaces."""
    place: str | None = None
    """`none`: only those that came without a place."""
    sort: str | None = None


def question_of(given: Mapping[str, str]) -> Question:
    """The question in an address; empty values do not matter. Declines what it does not know, or cannot read."""
    plain = {name: text.strip() for name, text in given.items() if text.strip()}
    try:
        return msgspec.convert(plain, Question, strict=False)
    except msgspec.ValidationError as error:
        raise invalid("filter", f"a filter of the ledger: {error}") from None


def says(question: Question) -> dict[str, str]:
    """The question as it stands in an address."""
    plain: dict[str, Any] = msgspec.to_builtins(question)
    return {name: str(value) for name, value in plain.items()}


def sort_of(question: Question) -> Sort:
    """The order of the list: by date where dates are asked for, else the newest first."""
    if question.sort is None:
        return "due" if question.due else "newest"
    for sort in SORTS:
        if sort == question.sort:
            return sort
    raise invalid("sort", f"one of {', '.join(SORTS)}")


def filter_of(question: Question, kind: Kind, now_ms: int) -> Filter:
    """What storage looks for; declines what is no code, no day, no place."""
    state, is_open = _state(question.state, kind)
    leader, unit = _charge(question.charge)
    due_from, due_before = _due(question.due, now_ms)
    coded = {field: _code(kind, name, getattr(question, name)) for name, field in CODED.items()}
    return Filter(
        **coded,
        village=_place("village", question.village),
        place=_place("grid", question.grid),
        state=state,
        open=is_open,
        placed=_placed(question.place),
        leader=leader,
        unit=unit,
        due_from_ms=due_from,
        due_before_ms=due_before,
        reported_from_ms=_day(question.since),
        reported_before_ms=_day(question.until, days=1),
        number=_number(question.number),
        words=_words(question.words),
    )


def _state(given: str | None, kind: Kind) -> tuple[str | None, bool | None]:
    if given in {OPEN, OVER}:
        return None, given == OPEN
    workflow = kind.workflow
    if given is not None and (workflow is None or workflow.state(given) is None):
        raise invalid("state", f"a state of {KIND}, or {OPEN}, or {OVER}")
    return given, None


def _charge(given: str | None) -> tuple[str | None, str | None]:
    if given is None:
        return None, None
    if given.startswith(_UNIT):
        return None, given.removeprefix(_UNIT)
    leader = given.removeprefix(_LEADER)
    if not is_id(leader):
        raise invalid("charge", f"{_LEADER} and an id, or {_UNIT} and a name")
    return leader, None


def _due(given: str | None, now_ms: int) -> tuple[int | None, int | None]:
    match given:
        case None:
            return None, None
        case "overdue":
            return None, now_ms
        case "soon":
            return now_ms, now_ms + SOON_MS
    raise invalid("due", "overdue or soon")


def _placed(given: str | None) -> bool | None:
    if given not in {None, "none"}:
        raise invalid("place", "none, for those without a place")
    return None if given is None else False


def _code(kind: Kind, name: str, given: str | None) -> str | None:
    if given is None:
        return None
    field = kind.field(CODED[name])
    if field is None or given not in {choice.code for choice in field.choices}:
        raise invalid(name, f"a code of {CODED[name]}")
    return given


def _place(level: str, given: str | None) -> str | None:
    if given is not None and place_level(given) != level:
        raise invalid(level, f"the code of a {level}")
    return given


def _day(day: date | None, days: int = 0) -> int | None:
    if day is None:
        return None
    if not date(2000, 1, 1) <= day <= date(2100, 1, 1):
        raise invalid("since", "a day from 2000 to 2099")
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(days=days)
    return int(midnight.astimezone(UTC).timestamp() * 1_000)


def _number(given: str | None) -> str | None:
    if given is None:
        return None
    plain = unicodedata.normalize("NFC", given)
    if len(plain) > NUMBER_CHARS_MAX or not plain.isprintable():
        raise invalid("number", f"at most {NUMBER_CHARS_MAX} characters of a number")
    return plain


def _words(given: str | None) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(unicodedata.normalize("NFC", given or "").split()))
    low, high = WORDS_CHARS
    if len(words) > WORDS_MAX or not all(low <= len(word) <= high and word.isprintable() for word in words):
        raise invalid("words", f"at most {WORDS_MAX} words of {low} to {high} characters")
    return words
