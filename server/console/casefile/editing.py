"""Single fields edited in place, and entries of the matter's lists: plain forms made from the declaration."""

from typing import Any, Final

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.plugins.htmx import ClientRedirect
from litestar.types import ControllerRouterHandler

from server.access import Calling, Given, Signed
from server.casefile.forms import by_somebody_now, entry_fields, inputs, sent_values
from server.console.casefile.answers import clash, unfit
from server.console.casefile.sent import first, sent, target
from server.console.page import Asked, go_to, page, part, words_of
from server.declined import Declined, not_found
from server.reach import Caller
from server.records import reading
from server.records import service as records
from server.records.editing import Edit, EntriesEdit
from server.records.views import RecordView
from server.rights import Person
from server.saying import value_said
from server.services import Services
from sync_protocol.kinds import Field, Kind

Done = Response[str] | ClientRedirect
_NEW: Final = "new"


@get("/matters/{record:str}/fields/{name:str}", opt={"action": "records.edit"})
async def open_field(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    name: FromPath[str],
) -> Response[str]:
    """The form of one field, in the place of its value."""
    view, _, field = await _field(services, caller, record, name)
    (one,) = inputs([field], view.fields, words_of(request).language)
    key = services.random(16).hex()
    return part(request, person, "casefile/field.html", record=view, one=one, key=key)


@get("/matters/{record:str}/fields/{name:str}/value", opt={"action": "records.read"})
async def close_field(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    name: FromPath[str],
) -> Response[str]:
    """The value again, when the form is put aside."""
    view, _, field = await _field(services, caller, record, name)
    said = value_said(field, view.fields.get(name), words_of(request).language)
    return part(request, person, "casefile/value.html", record=view.id, field=name, said=said, may_edit=True)


@post("/matters/{record:str}/fields/{name:str}", status_code=200, opt={"action": "records.edit"})
async def edit_field(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    name: FromPath[str],
) -> Done:
    """Writes one field."""
    given = await sent(request)
    _, kind, field = await _field(services, caller, record, name)
    changed = sent_values([field], given)
    if field.required and name in changed and changed[name] is None:
        return unfit(request, f"“{field.title.zh}”不能为空", f"{field.title.en} must not be empty")
    edit = Edit(fields=changed, reason=first(given, "reason") or None)
    return await _write(request, (services, caller, person), record, edit, kind, changed)


@get(
    "/matters/{record:str}/entries/{name:str}/{entry:str}",
    opt={"action": "records.edit"},
)
async def open_entry(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    name: FromPath[str],
    entry: FromPath[str],
) -> Response[str]:
    """The form of a new entry, or of one that stands."""
    view, kind = await _kind(services, caller, record)
    fields, language = entry_fields(kind, name), words_of(request).language
    values = (view.fields.get(name) or {}).get(entry) if entry != _NEW else {}
    if values is None:
        raise not_found()
    begins = by_somebody_now(person.name, services.clock()) if entry == _NEW else {}
    return page(
        request,
        person,
        "casefile/entry.html",
        record=view,
        field=kind.fields[name],
        entry=entry if entry != _NEW else "",
        inputs=inputs(fields, values, language, begins),
        key=services.random(16).hex(),
    )


@post(
    "/matters/{record:str}/entries/{name:str}/{entry:str}",
    status_code=200,
    opt={"action": "records.edit"},
)
async def write_entry(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    name: FromPath[str],
    entry: FromPath[str],
) -> Done:
    """Adds an entry, or edits one: only what was changed of it."""
    given = await sent(request)
    _, kind = await _kind(services, caller, record)
    fields = entry_fields(kind, name)
    said = sent_values(fields, given)
    empty = [
        one
        for one in fields
        if one.required and (one.name not in said if entry == _NEW else said.get(one.name, "") is None)
    ]
    if empty:
        return unfit(request, f"请填写“{empty[0].title.zh}”", f"{empty[0].title.en} is needed")
    if entry == _NEW and not said:
        return unfit(request, "还什么都没有填", "Nothing was filled in")
    change = EntriesEdit(append=[said]) if entry == _NEW else EntriesEdit(edit={entry: said})
    edit = Edit(entries={name: change})
    return await _write(request, (services, caller, person), record, edit, kind, said)


@post(
    "/matters/{record:str}/entries/{name:str}/{entry:str}/remove",
    status_code=200,
    opt={"action": "records.edit"},
)
async def remove_entry(
    request: Asked,
    services: Given,
    caller: Calling,
    person: Signed,
    record: FromPath[str],
    name: FromPath[str],
    entry: FromPath[str],
) -> Done:
    """Removes an entry; it stays in the history."""
    given = await sent(request)
    _, kind = await _kind(services, caller, record)
    entry_fields(kind, name)
    edit = Edit(entries={name: EntriesEdit(remove=[entry])}, reason=first(given, "reason") or None)
    return await _write(request, (services, caller, person), record, edit, kind, {})


async def _write(
    request: Asked,
    who: tuple[Services, Caller, Person],
    record: str,
    edit: Edit,
    kind: Kind,
    typed: dict[str, Any],
) -> Done:
    services, caller, person = who
    try:
        await records.update(services, caller, target(record, await sent(request)), edit)
    except Declined as declined:
        if declined.code != "version_conflict":
            raise
        now = await reading.get(services, caller, record, None)
        return clash(request, person, declined, now, kind, typed)
    return go_to(f"/office/matters/{record}")


async def _kind(services: Services, caller: Caller, record: str) -> tuple[RecordView, Kind]:
    view = await reading.get(services, caller, record, None)
    kind = services.registry.latest(view.kind)
    if kind is None:
        raise not_found()
    return view, kind


async def _field(
    services: Services, caller: Caller, record: str, name: str
) -> tuple[RecordView, Kind, Field]:
    view, kind = await _kind(services, caller, record)
    field = kind.field(name)
    if field is None or field.of or not inputs([field], {}, "zh"):
        raise not_found()
    return view, kind, field


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    open_field,
    close_field,
    edit_field,
    open_entry,
    write_entry,
    remove_entry,
)
