"""/office/places and /office/rounds: villages, grids, their telephones and cadences; which daily reports came."""

from collections import Counter
from datetime import date
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.console.forms import filled
from server.console.page import Asked, Refusal, go_to, page, refusal_page, words_of
from server.rounds import cadence, judging, service
from server.rounds.cadence import CADENCES, HOURS_MAX, Screening, cadence_of, day_of

_TONES: Final = {
    "in_time": "good", "arrived_late": "good", "made_later": "warn", "waiting": "plain", "heard": "plain",
    "silent": "warn", "no_device": "plain",
}  # fmt: skip
_REFUSED: Final = 422


class _ScreeningForm(msgspec.Struct, frozen=True):
    place: str
    cadence: str
    cut_off_hour: int
    duty_phone: str | None = None


@get("/places", opt={"action": "places.list"})
async def show_places(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """Villages and grids, in the order of codes."""
    return page(
        request, person, "places/list.html",
        places=await service.places(services, caller), titles=cadence.TITLES, cadences=CADENCES,
        hours_max=HOURS_MAX,
    )  # fmt: skip


@post("/places", status_code=200, opt={"action": "places.set"})
async def set_screening(request: Asked, services: Given, caller: Calling) -> Response[Any]:
    """Sets the cadence and the telephone of the township or of a village."""
    given, words = await filled(request, _ScreeningForm), words_of(request)
    often = cadence_of(given.cadence)
    if often is None or not 1 <= given.cut_off_hour <= HOURS_MAX:
        wrong = words(
            f"请选择周期，截止钟点为 1 至 {HOURS_MAX}",
            f"Choose a cadence, and a cut-off from 1 to {HOURS_MAX}",
        )
        return refusal_page(request, Refusal(_REFUSED, wrong, words("再点一次", "Press the button again")))
    await service.set_screening(
        services, caller, given.place, Screening(often, given.cut_off_hour, given.duty_phone)
    )
    return go_to("/office/places")


@get("/rounds", opt={"action": "rounds.list"})
async def show_rounds(request: Asked, services: Given, caller: Calling, person: Signed) -> Response[str]:
    """How the round of each grid stands, in the order of codes."""
    asked = request.query_params.get("day", "")
    try:
        day = date.fromisoformat(asked) if asked else day_of(services.clock())
    except ValueError:
        day = day_of(services.clock())
    day = min(max(day, date(2000, 1, 1)), date(2100, 1, 1))
    found = await service.rounds_on(services, caller, day)
    counted = Counter(one.told.standing for one in found)
    return page(
        request, person, "places/rounds.html",
        rounds=found, day=day.isoformat(), titles=judging.TITLES, tones=_TONES, counted=counted,
    )  # fmt: skip


HANDLERS: Final[tuple[ControllerRouterHandler, ...]] = (show_places, set_screening, show_rounds)
