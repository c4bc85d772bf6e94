"""One chart of each work: its figures as bars beside the floor's and the peers', whose figures are data (peers.toml).

Units differ within a work, so each bar is a share: of the floor where there is one, else of the reach. The peers stand
as shares of the floor of their own evening, or of the reach. Sizes differ by thousands, so the axis is logarithmic.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pygal
from pygal.style import LightSolarizedStyle

from benchmarks.figures import HERE, Figure, Outcome


def draw(work: str, found: Sequence[Outcome], file: Path) -> None:
    """Writes the chart of one work as SVG."""
    shown = [one for one in found if _whole(one) is not None]
    if not shown:
        return
    chart = pygal.HorizontalBar(
        title=f"{work}: share of the floor, or of the reach where there is none",
        x_labels=[f"{one.figure.title} ({one.figure.unit})" for one in shown],
        logarithmic=True,
        style=LightSolarizedStyle,
        height=200 + 90 * len(shown),
        truncate_label=-1,
        disable_xml_declaration=True,
        js=[],
    )
    chart.add("Roundbook", [_bar(one.ours, _whole(one)) for one in shown])
    chart.add("floor", [_bar(one.floor, one.floor) for one in shown])
    chart.add("reach", [_bar(_bound(one), _whole(one)) for one in shown])
    for name in dict.fromkeys(name for one in shown for name in _peers(one.figure)):
        chart.add(name, [_bar(_peers(one.figure).get(name), _of_peers(one)) for one in shown])
    file.write_text(chart.render(is_unicode=True), encoding="utf-8")


def _bar(value: float | None, whole: float | None) -> dict[str, Any] | None:
    if value is None or not whole:
        return None
    return {"value": value / whole, "label": f"{value:,.4g}"}


def _whole(one: Outcome) -> float | None:
    """What counts as one."""
    return one.floor or one.figure.at_least or one.figure.at_most


def _of_peers(one: Outcome) -> float | None:
    """The same for what the peers did on another evening."""
    return _measured(one.figure).get("floor") or _whole(one)


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
