"""What is told of figures: a table for people, JSON for programs, a chart of each work."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from benchmarks import chart
from benchmarks.figures import Figure, Outcome, number


def table(work: str, found: Sequence[Outcome]) -> Table:
    """The figures of one work, from the medians of their runs."""
    shown = Table(title=work, title_justify="left")
    shown.add_column("figure")
    for heading in ("ours", "floor", "ours / floor", "reach", "runs"):
        shown.add_column(heading, justify="right")
    shown.add_column("")
    for one in found:
        shown.add_row(
            f"{one.figure.title}, {one.figure.unit}",
            number(one.ours),
            number(one.floor) if one.floor is not None else "",
            f"{one.ours / one.floor:.2f}" if one.floor else "",
            _reach(one.figure),
            _spread(one),
            {True: "reached", False: "NOT reached", None: ""}[one.reached],
        )
    return shown


def verdict(found: Sequence[Outcome]) -> str:
    """One line for all."""
    judged = [one for one in found if one.reached is not None]
    missed = [f"{one.figure.work} {one.figure.name}" for one in judged if not one.reached]
    return f"{len(judged) - len(missed)} of {len(judged)} reached" + (
        f"; below: {', '.join(missed)}" if missed else ""
    )


def write(found: Sequence[Outcome], json: Path | None, pictures: Path | None) -> None:
    """The files that were asked for."""
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        for work in dict.fromkeys(one.figure.work for one in found):
            chart.draw(work, [one for one in found if one.figure.work == work], pictures / f"{work}.svg")


def _reach(figure: Figure) -> str:
    if figure.at_least is not None:
        return f">= {number(figure.at_least)}"
    return f"<= {number(figure.at_most)}" if figure.at_most is not None else ""


def _spread(one: Outcome) -> str:
    """What the runs saw of what is judged."""
    share = one.figure.measure == "share"
    seen = [run.ours / run.floor if share and run.floor else run.ours for run in one.runs]
    return " ".join(number(value) for value in seen)
