"""/office/matters/RECORD/steps/STEP: a step of the workflow, with the small form that it asks for."""

from typing import Any, Final

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile import undertaking
from server.casefile.forms import by_somebody_now
from server.casefile.steps import StepForm, missing_of, step_form, step_of
from server.casefile.undertaking import Handling
from server.console.casefile.answers import clash, unfit
from server.console.casefile.sent import Sent, first, sent, target
from server.console.page import Asked, acting, go_to, page, words_of
from server.declined import Declined, not_found
from server.reach import Caller
from server.records import reading
from server.records import service as records
from server.records.views import RecordView
from server.services import Services
from sync_protocol.kinds import Kind, Transition

_SLIP_AFTER: Final = {
    "accept": "acceptance",
    "not_accept": "not_accepted",
    "assign": "assignment",
    "answer": "answer",
}
"""The slip that a step gives rise to, and that its form offers."""


@get("/matters/{record:str}/steps/{step:str}", opt={"action": "records.act"})
async def open_step(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    step: FromPath[str],
) -> Response[str]:
    """The form of a step that is open to whoever asks."""
    view, kind, transition = await _subject(services, caller, record, step)
    begins = by_somebody_now(person.name, services.clock())
    form = step_form(kind, transition, view.fields, words_of(request).language, begins)
    given: dict[str, Any] = {}
    if form.assigns:
        reader = acting(person, "assignments.read") or caller
        given = {
            "handling": await undertaking.proposed(services, reader, record),
            "leaders": await undertaking.leaders(services, caller),
            "units": await undertaking.units(services, caller),
        }
    makes = _SLIP_AFTER.get(step) if acting(person, "slips.make") is not None else None
    return page(
        request,
        person,
        "casefile/step.html",
        record=view,
        form=form,
        makes=makes,
        key=services.random(16).hex(),
        **given,
    )


@post("/matters/{record:str}/steps/{step:str}", status_code=200, opt={"action": "records.act"})
async def take_step(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    step: FromPath[str],
) -> Response[str] | ClientRedirect:
    """Takes a step; a clash with what somebody else did is told with both values, and nothing typed is lost."""
    given = await sent(request)
    words, where = words_of(request), f"/office/matters/{record}"
    view, kind, transition = await _subject(
        services, caller, record, step, asked_again=target(record, given).key
    )
    form = step_form(kind, transition, view.fields, words.language)
    said = step_of(kind, form, given, words.language)
    if form.must_note and not said.note:
        return unfit(request, f"请填写“{form.note.zh}”", f"{form.note.en} is needed")
    if missing_of(transition, view.fields, said):
        return unfit(request, *_lacking(form))
    try:
        if form.assigns:
            handling = handling_of(given)
            if not (handling.units or handling.leaders):
                return unfit(request, "至少要有主办单位或包案领导", "A lead unit or a leader is needed")
            await undertaking.assign(services, caller, target(record, given), said, handling)
        else:
            await records.act(services, caller, target(record, given), said)
    except Declined as declined:
        if declined.code != "version_conflict":
            raise
        now = await reading.get(services, caller, record, None)
        return clash(request, person, declined, now, kind, {})
    slip = first(given, "slip")
    return go_to(
        f"{where}/slips/new/{slip}"
        if slip and slip == _SLIP_AFTER.get(step)
        else await _after(person, services, record)
    )


def handling_of(given: Sent) -> Handling:
    """Who handles the matter, as a form says it."""
    others = [
        one
        for text in given.get("with_units", [])
        for one in text.replace("，", "、").replace(",", "、").split("、")
    ]
    return Handling(
        given.get("leaders", []),
        first(given, "lead"),
        [one.strip() for one in others if one.strip()],
        first(given, "team"),
        first(given, "plan"),
    )


async def _after(person: Signed, services: Services, record: str) -> str:
    """The case file, or the first page where the step took the matter out of the person's reach."""
    reader = acting(person, "records.read")
    try:
        if reader is not None:
            await reading.find(services, reader, record)
    except Declined:
        return "/office"
    return f"/office/matters/{record}"


async def _subject(
    services: Services, caller: Caller, record: str, step: str, asked_again: str | None = None
) -> tuple[RecordView, Kind, Transition]:
    """The matter and the step; a step that starts from another state is refused, but not when it is asked again."""
    view = await reading.get(services, caller, record, None)
    kind = services.registry.latest(view.kind)
    workflow = kind.workflow if kind is not None else None
    if kind is None or workflow is None:
        raise not_found()
    open_now = [one for one in workflow.actions(view.state or "", caller.role) if one.name == step]
    # A second click comes when the first has changed the state: the service knows the request by its key.
    known = open_now or [
        one for one in workflow.transitions if one.name == step and asked_again and caller.role in one.roles
    ]
    if not known:
        raise Declined(
            "forbidden", f"{step} does not start from the state {view.state}", cause="not_permitted"
        )
    return view, kind, known[0]


def _lacking(form: StepForm) -> tuple[str, str]:
    names = "、".join(dict.fromkeys(one.label for one in form.entries if one.prefix.endswith("/.")))
    if form.reason == "must":
        return "请写明理由", "A reason is needed"
    if form.reason == "may":
        return (
            f"还没有{names}：请在下面补上，或者写明理由",
            f"There is no {names}: add it below, or state a reason",
        )
    return f"还缺少：{names}", f"Still missing: {names}"


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (open_step, take_step)
