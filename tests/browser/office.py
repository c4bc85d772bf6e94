"""An office behind a real socket, in a thread of its own, so that a browser and a test can both work with it."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx2
from anyio import fail_after
from anyio.from_thread import BlockingPortal, start_blocking_portal
from granian.constants import Interfaces
from granian.server.embed import Server
from playwright.sync_api import Browser, BrowserContext, Page

from tests.server.office_server import OfficeServer, office_server
from tests.server.people import Somebody, signed_in

T = TypeVar("T")
DESK = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 780}
LANGUAGES = ("zh", "en")


@dataclass
class LiveOffice:
    """A server that answers at `url`; `run` does what the tests of the server do, inside its loop."""

    url: str
    server: OfficeServer
    portal: BlockingPortal

    def run(self, work: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
        """Awaits something in the server's own loop: `office.run(server.device, "李四")`."""

        async def call() -> T:
            return await work(*arguments, **named)

        return self.portal.call(call)

    def person(self, role: str, name: str, **scope: Any) -> Somebody:
        """Somebody of a role, signed in."""
        return self.run(signed_in, self.server, role, name, **scope)


@contextmanager
def live_office(database_url: str) -> Iterator[LiveOffice]:
    """The server of office_server.py, prepared, and listening."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(office_server(database_url)) as made,
    ):
        port = _free_port()
        before = portal.call(_tasks)
        # Without the application's own end, which would close the pool under requests that browsers have left.
        server = Server(
            cast("Any", made.app), port=port, interface=Interfaces.ASGINL, log_enabled=False, websockets=False
        )
        future = portal.start_task_soon(server.serve)
        try:
            _answers(f"http://127.0.0.1:{port}/v1/health/live")
            yield LiveOffice(f"http://127.0.0.1:{port}", made, portal)
        finally:
            portal.call(_stop, server)
            future.result(30)
            portal.call(_left_alone, before)


async def _stop(server: Server) -> None:
    cast("Any", server).stop()


async def _tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks()


async def _left_alone(before: set[asyncio.Task[Any]]) -> None:
    """Waits for what the server still does for browsers that left, also for what that begins in turn.

    Their answers were cut short, and the connections to the database that they had are not all back in the pool.
    """
    with fail_after(30):
        while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.wait(left)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            assert httpx2.get(url).status_code == 200
        except httpx2.TransportError:
            assert time.monotonic() < until, url
            time.sleep(0.02)
        else:
            return


@contextmanager
def looking(
    browser: Browser, office: LiveOffice, person: Somebody, language: str = "zh", viewport: Any = DESK
) -> Iterator[Page]:
    """A person's browser, signed in. Whatever a page complains of fails the test."""
    context = browser.new_context(viewport=viewport, locale="zh-CN", base_url=office.url)
    context.set_default_timeout(30_000)  # as `expect` waits: the machine does other things, too
    _carry(context, office, person, language)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    try:
        yield page
    finally:
        context.close()
    # Chromium writes down every answer of 4xx as an error, and htmx too; those are the server's refusals.
    meant = ("Failed to load resource", "Response Status Error Code")
    assert [one for one in complaints if not any(part in one for part in meant)] == []


def _carry(context: BrowserContext, office: LiveOffice, person: Somebody, language: str) -> None:
    """The session of the person's other browser. The name of the cookie is another one on plain HTTP."""
    secret = next(cookie.value for cookie in person.browser.cookies.jar if cookie.name.endswith("roundbook"))
    given = {"roundbook": secret or "", "roundbook-language": language}
    context.add_cookies([{"name": name, "value": value, "url": office.url} for name, value in given.items()])
