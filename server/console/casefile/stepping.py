"""/office/matters/RECORD/steps/STEP: a step of the workflow, with the small form that it asks for."""

from typing import Any, Final

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile import undertaking
from server.casefile.forms import by_somebody_now
from server.casefile.steps import TOGETHER, StepForm, missing_of, step_form, step_of
from server.casefile.undertaking import Handling
from server.console.casefile.answers import clash, unfit
from server.console.casefile.sent import Sent, first, sent, target
from server.console.page import Asked, go_to, page, words_of
from server.declined import Declined, not_found
from server.reach import Caller
from server.records import reading
from server.records import service as records
from server.records.service import Step
from server.records.views import RecordView
from server.rights import acting
from server.services import Services
from sync_protocol.kinds import Kind, Transition
from sync_protocol.kinds.declaration import alternatives

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
    asked = target(record, given)
    view, kind, transition = await _subject(services, caller, record, step, asked_again=asked.key)
    language = words_of(request).language
    # A second click comes when the record has what the first one brought: it has to say the same.
    form = step_form(kind, transition, _without_needs(view, transition), language)
    said, handling = step_of(kind, form, given, language), handling_of(given) if form.assigns else None
    lacking = _lacking(kind, form, missing_of(transition, view.fields, said), said, handling)
    if lacking is not None:
        return unfit(request, *lacking)
    try:
        if handling is not None:
            await undertaking.assign(services, caller, asked, said, handling)
        else:
            await records.act(services, caller, asked, said)
    except Declined as declined:
        if declined.code != "version_conflict":
            raise
        return clash(request, person, declined, await reading.get(services, caller, record, None), kind, {})
    slip = first(given, "slip")
    makes = bool(slip) and slip == _SLIP_AFTER.get(step)
    return go_to(
        f"/office/matters/{record}/slips/new/{slip}" if makes else await _after(person, services, record)
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
    if kind is None or workflow is None or step in TOGETHER:
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


def _without_needs(view: RecordView, step: Transition) -> dict[str, Any]:
    """The values of a record but for those that the step needs, so that its form asks for all of them."""
    needed = {name for need in step.needs for name in alternatives(need)}
    return {name: value for name, value in view.fields.items() if name not in needed}


def _lacking(
    kind: Kind, form: StepForm, missing: tuple[str, ...], said: Step, handling: Handling | None
) -> tuple[str, str] | None:
    """What a filled form lacks, in Chinese and in English."""
    if form.must_note and not said.note:
        return f"请填写“{form.note.zh}”", f"{form.note.en} is needed"
    if handling is not None and not (handling.units or handling.leaders):
        return "至少要有主办单位或包案领导", "A lead unit or a leader is needed"
    if not missing:
        return None
    fields = [kind.fields[name] for need in missing for name in alternatives(need) if name in kind.fields]
    zh, en = "、".join(one.title.zh for one in fields), ", ".join(one.title.en for one in fields)
    if not fields:
        return "请写明理由", "A reason is needed"
    if form.reason == "may":
        return f"还没有{zh}：请在下面补上，或者写明理由", f"There is no {en}: add it below, or state a reason"
    return f"还缺少{zh}，或者说明", f"Still missing: {en}, or a note"


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (open_step, take_step)
