"""One chart of each work: its figures as bars beside the floor's and the peers', whose figures are data (peers.toml).

Units differ within a work, so each bar is a share: of the floor where there is one, else of the reach. The peers stand
as shares of the floor of their own evening, or of the reach. Sizes differ by thousands, so the axis is logarithmic.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.figures import HERE, Figure, Outcome, number

Bar = dict[str, Any]
"""A share, and the value itself as its label."""


def draw(work: str, found: Sequence[Outcome], file: Path) -> None:
    """Writes the chart of one work as SVG."""
    shown = [one for one in reversed(found) if _whole(one) is not None]  # the chart's first bar is its lowest
    sides = {
        "Roundbook": [_bar(one.ours, _whole(one)) for one in shown],
        "floor": [_bar(one.floor, one.floor) for one in shown],
        "reach": [_bar(_bound(one), _whole(one)) for one in shown],
    }
    for name in dict.fromkeys(name for one in shown for name in _peers(one.figure)):
        sides[name] = [_bar(_peers(one.figure).get(name), _of_peers(one)) for one in shown]
    if shown:
        title = f"{work}: share of the floor, or of the reach where there is no floor"
        labels = [f"{one.figure.title} ({one.figure.unit})" for one in shown]
        file.write_text(_rendered(title, labels, sides), encoding="utf-8")


def _rendered(title: str, labels: list[str], sides: dict[str, list[Bar | None]]) -> str:
    # Imported here: pygal puts a finder of its own, of a kind that Python warns of, before all later imports.
    import pygal  # noqa: PLC0415
    from pygal.style import Style  # noqa: PLC0415

    values = [bar["value"] for side in sides.values() for bar in side if bar is not None]
    chart = pygal.HorizontalBar(
        title=title, x_labels=labels, logarithmic=True, zero=min(values) / 2,
        range=(min(values) / 2, max(values) * 2), width=1_200, height=200 + 24 * len(labels) * len(sides),
        style=Style(background="white"), js=[], print_labels=True, legend_at_bottom=True,
        truncate_legend=-1, truncate_label=-1, show_x_labels=False,
    )  # fmt: skip
    for name, side in sides.items():
        chart.add(name, side)
    return str(chart.render(is_unicode=True))


def _bar(value: float | None, whole: float | None) -> Bar | None:
    if value is None or not whole:
        return None
    return {"value": value / whole, "label": number(value)}


def _whole(one: Outcome) -> float | None:
    """What counts as one."""
    return one.floor or one.figure.at_least or one.figure.at_most


def _of_peers(one: Outcome) -> float | None:
    """The same for what the peers did on another evening."""
    return (_measured(one.figure).get("floor") if one.floor else None) or _whole(one)


def _bound(one: Outcome) -> float | None:
    """The reach, in the figure's unit."""
    bound = one.figure.at_least or one.figure.at_most
    if bound is None or one.figure.measure == "value":
        return bound
    return bound * one.floor if one.floor is not None else None


def _peers(figure: Figure) -> dict[str, float]:
    return dict(_measured(figure).get("peers", {}))


def _measured(figure: Figure) -> dict[str, Any]:
    return dict(_taken().get(figure.work, {}).get(figure.name, {}))


@cache
def _taken() -> dict[str, Any]:
    return tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
