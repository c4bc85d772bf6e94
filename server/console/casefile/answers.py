"""What the pages of the case file answer beside pages: files, and the two sides of a clash."""

from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar import Response
from litestar.datastructures import State
from litestar.status_codes import HTTP_412_PRECONDITION_FAILED, HTTP_422_UNPROCESSABLE_ENTITY

from server.console.page import Asked, Refusal, part, refusal_page, words_of
from server.declined import Declined
from server.records.views import RecordView
from server.rights import Person
from server.saying import state_said, value_said
from sync_protocol.history import STATE
from sync_protocol.kinds import Kind

PDF_TYPE: Final = "application/pdf"
_ = State  # annotations of handlers are read at run time


class Side(msgspec.Struct, frozen=True):
    """A field that somebody else has changed meanwhile: what stands now, and what was typed here."""

    label: str
    stands: str
    typed: str


def attachment(content: bytes, name: str, media_type: str) -> Response[bytes]:
    """A file to be kept under a name."""
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=media_type, headers={"content-disposition": disposition})


def unfit(request: Asked, zh: str, en: str) -> Response[str]:
    """A sentence beside the form: what is missing, in the language of the page."""
    words = words_of(request)
    next_ = words("补上后再提交，填写的内容都在", "Add it and send again; what you typed is still here")
    return refusal_page(request, Refusal(HTTP_422_UNPROCESSABLE_ENTITY, words(zh, en), next_))


def clash(
    request: Asked,
    person: Person,
    declined: Declined,
    now: RecordView,
    kind: Kind | None,
    typed: dict[str, Any],
) -> Response[str]:
    """Both values of every field concerned, and a button that sends the form again on what stands now."""
    words = words_of(request)
    paths = declined.extra.get("fields") or []
    sides = [_side(path, now, kind, typed, words.language) for path in paths]
    shown = part(request, person, "casefile/clash.html", sides=sides, version=now.version)
    shown.status_code = HTTP_412_PRECONDITION_FAILED
    return shown


def _side(path: str, now: RecordView, kind: Kind | None, typed: dict[str, Any], language: Any) -> Side:
    if path == STATE:
        return Side("状态" if language == "zh" else "State", state_said(kind, now.state, language), "")
    name, _, below = path.partition("/")
    entry, _, sub = below.partition("/")
    field = kind.field(name) if kind is not None else None
    stands: Any = now.fields.get(name)
    if field is not None and below and isinstance(stands, dict):
        stands = stands.get(entry) or {}
        field, stands = (field.sub_field(sub), stands.get(sub)) if sub else (None, "")
    label = (field.title.zh if language == "zh" else field.title.en) if field is not None else name
    key = field.name if field is not None else name
    return Side(label, value_said(field, stands, language), value_said(field, typed.get(key), language))
