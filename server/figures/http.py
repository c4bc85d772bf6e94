"""GET /v1/figures: a thin handler. What it does is in service.py."""

from datetime import date
from typing import Annotated, Final

from litestar import Router, get
from litestar.params import FromQuery, QueryParameter

from server.access import Calling, Given, guarded, problems
from server.figures import service
from server.figures.service import DIMENSIONS, MEASURES, Asked, Figures

Measure = Annotated[str, QueryParameter(description=f"One of {', '.join(MEASURES)}.")]
By = Annotated[str | None, QueryParameter(description=f"One of {', '.join(DIMENSIONS)}.")]


@get(
    "/v1/figures",
    opt={"action": "figures.read"},
    tags=["figures"],
    responses=problems(422),
    summary="Count matters",
)
async def read_figures(
    services: Given,
    caller: Calling,
    *,
    measure: Measure,
    by: By = None,
    since: FromQuery[date | None] = None,
    until: FromQuery[date | None] = None,
) -> Figures:
    """Matters that were received from `since` up to but without `until` (days in Asia/Shanghai), by one dimension."""
    return await service.count(services, caller, Asked(measure, by, since, until))


route_handlers: Final[list[Router]] = [guarded([read_figures])]
