"""The pages that come before the console: the one of a one-time link, and signing in. They know nothing of anybody.

All that they do goes over /v1/link, /v1/sign-in and /v1/session. The content policy allows no script and no
style inside a page, so both lie beside it.
"""

from importlib.resources import files
from typing import Final

from litestar import MediaType, Response, get
from litestar.params import FromPath

from server.problems import Problem

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "html": MediaType.HTML}


def _read() -> dict[str, str]:
    folder = files("server.sessions") / "static"
    found = {one.name: one for one in folder.iterdir() if one.name.rpartition(".")[2] in _TYPES}
    return {name: one.read_text(encoding="utf-8") for name, one in found.items()}


_FILES: Final = _read()


@get("/welcome", opt={"action": "page.welcome"}, include_in_schema=False, sync_to_thread=False)
def welcome_page() -> Response[str]:
    """Where a one-time link leads."""
    return _answer("welcome.html")


@get("/sign-in", opt={"action": "page.sign_in"}, include_in_schema=False, sync_to_thread=False)
def sign_in_page() -> Response[str]:
    """Where people sign in and out."""
    return _answer("sign-in.html")


@get("/pages/{name:str}", opt={"action": "page.part"}, include_in_schema=False, sync_to_thread=False)
def part_of_page(name: FromPath[str]) -> Response[str]:
    """A script or the style sheet of these pages."""
    if name not in _FILES or name.endswith(".html"):
        raise Problem("not_found")
    return _answer(name)


def _answer(name: str) -> Response[str]:
    return Response(_FILES[name], media_type=_TYPES[name.rpartition(".")[2]])
