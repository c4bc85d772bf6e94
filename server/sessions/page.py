"""GET /welcome: the small page that a one-time link leads to. All that it does goes over /v1/link."""

from importlib.resources import files
from typing import Final

from litestar import MediaType, Response, get


def _text(name: str) -> str:
    return (files("server.sessions") / name).read_text(encoding="utf-8")


_PAGE: Final = _text("welcome.html")
_SCRIPT: Final = _text("welcome.js")


@get("/welcome", opt={"action": "welcome.page"}, include_in_schema=False, sync_to_thread=False)
def welcome_page() -> Response[str]:
    """The page; it knows nothing of any link."""
    return Response(_PAGE, media_type=MediaType.HTML)


@get("/welcome.js", opt={"action": "welcome.script"}, include_in_schema=False, sync_to_thread=False)
def welcome_script() -> Response[str]:
    """Its script: the content policy allows none inside a page."""
    return Response(_SCRIPT, media_type="text/javascript")
