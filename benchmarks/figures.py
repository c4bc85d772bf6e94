"""What a work gives: figures. Each is a value beside the floor's, and what it has to reach.

What is to be reached, and by which measure, is data: `figures.toml`. A work only says what it saw.
"""

import statistics
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

HERE: Final = Path(__file__).parent


class Figure(msgspec.Struct, frozen=True):
    """A figure as it is declared. `work` and `name` find it; at most one of the two bounds is set."""

    work: str
    name: str
    title: str
    unit: str
    measure: Literal["share", "value"] = "value"
    """`share` judges ours divided by the floor's, `value` judges ours by itself."""
    at_least: float | None = None
    at_most: float | None = None

    def reached(self, measured: float) -> bool | None:
        """Whether a measured value is good enough; None for a figure that is only reported."""
        if self.at_least is not None:
            return measured >= self.at_least
        return measured <= self.at_most if self.at_most is not None else None


class Seen(msgspec.Struct, frozen=True):
    """What one run saw of one figure, in the figure's unit; `floor` where there is one."""

    name: str
    ours: float
    floor: float | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A figure with what its runs saw, in their order. `ours` and `floor` are medians, `measured` is what is judged."""

    figure: Figure
    runs: list[Seen]
    ours: float
    floor: float | None
    measured: float
    reached: bool | None


@cache
def declared() -> dict[str, dict[str, Figure]]:
    """The figures of each work, in the order of the file."""
    works: dict[str, Any] = tomllib.loads((HERE / "figures.toml").read_text(encoding="utf-8"))
    return {
        work: {
            name: msgspec.convert({"work": work, "name": name, **words}, Figure)
            for name, words in figures.items()
        }
        for work, figures in works.items()
    }


def outcomes(work: str, runs: Iterable[list[Seen]]) -> list[Outcome]:
    """The figures of one work, each from the median of its runs."""
    seen: dict[str, list[Seen]] = {}
    for run in runs:
        for one in run:
            seen.setdefault(one.name, []).append(one)
    return [_outcome(declared()[work][name], each) for name, each in seen.items()]


def _outcome(figure: Figure, runs: list[Seen]) -> Outcome:
    floors = [run.floor for run in runs if run.floor is not None]
    measured = statistics.median(_measured(figure, run) for run in runs)
    return Outcome(
        figure,
        runs,
        statistics.median(run.ours for run in runs),
        statistics.median(floors) if floors else None,
        measured,
        figure.reached(measured),
    )


def _measured(figure: Figure, run: Seen) -> float:
    if figure.measure == "value":
        return run.ours
    assert run.floor, f"{figure.work} {figure.name} is judged by a floor that was not measured"
    return run.ours / run.floor


def number(value: float) -> str:
    """A value for people: three digits that tell."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
