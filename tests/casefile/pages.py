"""People of every role before the pages, over HTTP: forms as browsers send them."""

import re
from html import unescape
from typing import Any

import httpx2

from tests.casefile.office import Office
from tests.server.people import Somebody, signed_in

NAMES = {
    "clerk": "陈静",
    "administrator": "钱主任",
    "leader": "周书记",
    "unit_handler": "吴所长",
    "village_officer": "郑主任",
    "grid_worker": "李四",
    "county_handler": "孙科长",
    "county_observer": "刘科员",
}
SCOPES: dict[str, dict[str, Any]] = {
    "unit_handler": {"unit": "司法所"},
    "village_officer": {"village": "321283104203"},
}


class Desk:
    """One person's browser at the console."""

    def __init__(self, who: Somebody) -> None:
        self.who = who

    async def see(self, path: str) -> httpx2.Response:
        return await self.who.browser.get(f"/office{path}")

    async def part(self, path: str) -> httpx2.Response:
        return await self.who.browser.get(f"/office{path}", headers={"hx-request": "true"})

    async def send(self, path: str, **said: Any) -> httpx2.Response:
        """What htmx sends of a form."""
        return await self.who.browser.post(f"/office{path}", data=said, headers={"hx-request": "true"})

    async def submit(self, path: str, form: str, **said: Any) -> httpx2.Response:
        """Fills the form of a page that sends to an address, hidden inputs included."""
        page = await self.see(path)
        assert page.status_code == 200, page.text
        return await self.send(form, **{**hidden(page.text, form), **said})


async def desk(office: Office, role: str) -> Desk:
    """Somebody of a role, signed in."""
    return Desk(await signed_in(office.server, role, NAMES[role], **SCOPES.get(role, {})))


def hidden(page: str, form: str) -> dict[str, str]:
    """The hidden inputs of the form that sends to an address."""
    found = re.search(rf'<form[^>]*hx-post="/office{re.escape(form)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    assert found is not None, f"the page has no form for {form}"
    inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', found[1])
    return {name: unescape(value) for name, value in inputs}


def steps_of(page: str) -> set[str]:
    """The steps that a case file offers."""
    return set(re.findall(r'/office/matters/[0-9a-f-]{36}/steps/([a-z_]+)"', page))
