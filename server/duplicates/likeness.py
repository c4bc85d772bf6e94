"""How alike two matters are, and why. Pure: two subjects in, a score and its reasons out.

Alike are matters of one village, reported within 30 days of each other, not more than 500 m apart where both
have a position, whose words are similar. Words are compared by pairs of characters, which needs no dictionary
and is right for Chinese: the share of the pairs that two texts have in common.
"""

import math
import unicodedata
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

DAYS_MAX: Final = 30
METRES_MAX: Final = 500
LEAST: Final = 50
"""Of 100: below it, two matters are not suggested as one."""
_DAY_MS: Final = 86_400_000
_WORDS, _GRID, _CATEGORY, _NEAR = 60, 10, 15, 15
"""What each reason adds to the score at the most; they make 100 together."""
_SAME_WORDS: Final = 0.6
"""Two people's words for one thing share no more than that."""
_WORDS_LEAST: Final = 0.15
"""Below it, two matters are not one, however near."""
_TEXT_CHARS: Final = 2_000
_EARTH_M: Final = 6_371_000.0


class Point(msgspec.Struct, frozen=True):
    """A position in WGS-84, in degrees."""

    lat: float
    lon: float


class Subject(msgspec.Struct, frozen=True):
    """What is compared of a matter; `subject` makes it."""

    title: frozenset[str]
    """The pairs of neighbouring characters of the title."""
    words: frozenset[str]
    """Those of title and narrative."""
    place: str
    """A village (12 digits) or a grid (15)."""
    category: str | None
    at_ms: int
    """When it was received, by the server's clock."""
    point: Point | None = None


def subject(
    title: str, narrative: str, place: str, category: str | None, at_ms: int, point: Point | None = None
) -> Subject:
    """A matter as it is compared."""
    return Subject(pairs(title), pairs(f"{title} {narrative}"), place, category, at_ms, point)


class Reason(msgspec.Struct, frozen=True, array_like=True):
    """One reason: `words` (percent in common), `grid`, `category`, `metres` (apart) or `days` (apart)."""

    code: str
    figure: int = 0


class Likeness(msgspec.Struct, frozen=True):
    """How alike, from LEAST to 100, and why."""

    score: int
    reasons: tuple[Reason, ...]


def likeness(one: Subject, other: Subject) -> Likeness | None:
    """How alike two matters are; None where they are not suggested as one."""
    days = abs(one.at_ms - other.at_ms) // _DAY_MS
    apart = _metres(one.point, other.point) if one.point and other.point else None
    if one.place[:12] != other.place[:12] or days > DAYS_MAX or (apart or 0) > METRES_MAX:
        return None
    words = common_words(one, other)
    if words < _WORDS_LEAST:
        return None
    reasons, score = [Reason("words", round(words * 100))], _WORDS * min(1.0, words / _SAME_WORDS)
    if one.category is not None and one.category == other.category:
        reasons, score = [*reasons, Reason("category")], score + _CATEGORY
    if len(one.place) == len("321283104203001") and one.place == other.place:
        reasons, score = [*reasons, Reason("grid")], score + _GRID
    if apart is not None:
        reasons, score = [*reasons, Reason("metres", round(apart))], score + _NEAR * (1 - apart / METRES_MAX)
    total = round(score)
    return Likeness(total, (*reasons, Reason("days", days))) if total >= LEAST else None


def common_words(one: Subject, other: Subject) -> float:
    """The share of words in common, 0 to 1: of the titles, or of all that is said, whichever is greater."""
    return max(_share(one.title, other.title), _share(one.words, other.words))


def pairs(text: str) -> frozenset[str]:
    """The pairs of neighbouring letters and digits of a text, whatever their width and case."""
    plain = unicodedata.normalize("NFKC", text[:_TEXT_CHARS]).lower()
    runs = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return frozenset(run[at : at + 2] for run in runs for at in range(max(len(run) - 1, 1)))


def _share(one: AbstractSet[str], other: AbstractSet[str]) -> float:
    """Dice's coefficient; 0 where there is nothing to compare."""
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


def _metres(one: Point, other: Point) -> float:
    """The distance on a sphere, by haversines."""
    lat, other_lat = math.radians(one.lat), math.radians(other.lat)
    half_lat, half_lon = (other_lat - lat) / 2, math.radians(other.lon - one.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat) * math.cos(other_lat) * math.sin(half_lon) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(chord)))
