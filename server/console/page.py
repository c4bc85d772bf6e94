"""How a page is made: the templates, what every one of them is given, and who is looking at it."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import State
from litestar.enums import MediaType
from litestar.plugins.htmx import ClientRedirect

from server.console.navigation import current, sections
from server.console.words import Words, language_of
from server.rights import Person, rights
from server.security import cookie_of
from server.sessions.tokens import csrf_of
from server.staff.roles import TITLES

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
OURS: Final = "roundbook-refusal"
"""A header of refusals: console.js shows no page of a proxy that answers in the server's place."""
Asked = Request[Any, Any, State]


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates of this program; a name that a page is not given is an error, not a gap."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static
    return environment


@lru_cache(maxsize=32)
def static(name: str) -> str:
    """The address of a file of static/, with its content's hash, so that browsers may keep it for good."""
    content = (STATIC / name).read_bytes()
    return f"/office/static/{name}?v={sha256(content).hexdigest()[:12]}"


def words_of(request: Asked) -> Words:
    """What the page of a request speaks."""
    return Words(language_of(request.cookies))


def page(request: Asked, person: Person, name: str, **given: Any) -> Response[str]:
    """A whole page. Its template extends layout.html, and is given `person`, `t` and `w`, `may` beside its own."""
    shown = sections(person.role)
    words = words_of(request)
    common = {
        "role": words(TITLES.get(person.role, person.role), person.role.replace("_", " ")),
        "sections": shown,
        "here": current(request.url.path, shown),
        "csrf": csrf_of(cookie_of(request) or ""),
    }
    return _rendered(name, words, person, {**common, **given})


def part(request: Asked, person: Person, name: str, **given: Any) -> Response[str]:
    """A part of a page, for htmx to put where it was asked for."""
    return _rendered(name, words_of(request), person, given)


def go_to(path: str) -> ClientRedirect:
    """Sends the browser to another page after a deed: forms are sent by htmx, which follows this and no 303."""
    return ClientRedirect(redirect_to=path)


def _rendered(name: str, words: Words, person: Person, given: dict[str, Any]) -> Response[str]:
    def may(action: str) -> bool:
        return rights().actions[action].scope_of(person.role) is not None

    text = templates().get_template(name).render(t=words, w=words, person=person, may=may, **given)
    return Response(text, media_type=MediaType.HTML)


class Refusal(msgspec.Struct, frozen=True):
    """What is told of something that was refused."""

    status: int
    title: str
    next: str
    detail: str = ""


def refusal_page(request: Asked, refusal: Refusal) -> Response[str]:
    """A refusal: a sentence for the form that was sent, a page of its own for an address that was opened."""
    name = "refused_part.html" if request.headers.get("hx-request") else "refused.html"
    words = words_of(request)
    text = templates().get_template(name).render(t=words, w=words, refusal=refusal)
    return Response(text, media_type=MediaType.HTML, status_code=refusal.status, headers={OURS: "1"})
