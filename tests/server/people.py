"""People who sign in through the real doors: a one-time link, a password, the codes of a telephone."""

from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
from pyotp import TOTP

from server.offices import COUNTY_ROLES
from server.sessions import links
from server.staff import service as staff
from server.staff.service import Candidate
from server.storage.staff import StaffRow
from tests.server.office_server import COUNTY, TOWN, OfficeServer

PASSWORD = "灯塔-kvutza-93-mqpl"
STEP_MS = 30_000


@dataclass
class Somebody:
    """A person with a browser of their own."""

    server: OfficeServer
    row: StaffRow
    browser: httpx2.AsyncClient
    secret: str = ""
    """Of the second factor; empty without one."""
    recovery: list[str] = field(default_factory=list)

    def code(self) -> str:
        """What the telephone shows now."""
        return TOTP(self.secret).at(self.server.now_ms // 1_000)

    def says(self, **other: Any) -> dict[str, Any]:
        """What they type to sign in."""
        code = {"code": self.code()} if self.secret else {}
        return {"township": self.row.township, "name": self.row.name, "password": PASSWORD, **code, **other}

    async def sign_in(self, **other: Any) -> httpx2.Response:
        """Signs in; the browser then sends the CSRF value with everything. A new step of the telephone first."""
        self.server.now_ms += STEP_MS
        answer = await self.browser.post("/v1/sign-in", json=self.says(**other))
        if answer.status_code == 200:
            self.browser.headers["roundbook-csrf"] = answer.json()["csrf"]
        return answer


def browser(server: OfficeServer, base: str = "https://office.test") -> httpx2.AsyncClient:
    """One that keeps cookies."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=cast("Any", server.app)), base_url=base)


async def somebody(
    server: OfficeServer, role: str, name: str, *, township: str = "", factor: bool = False, **scope: Any
) -> Somebody:
    """A person of a role with a password, who has not signed in; administrators have a second factor."""
    engine = server.services.engine
    township = township or (COUNTY if role in COUNTY_ROLES else TOWN)
    candidate = Candidate(name, role, township)
    row = await staff.add(engine, candidate, now_ms=server.now_ms, random=server.random)
    if scope:
        row = await staff.set_scope(engine, row.staff_id, township, now_ms=server.now_ms, **scope)
    made = Somebody(server, row, browser(server))
    link = await links.make(server.services, row)
    if factor or role == "administrator":
        made.secret = (await made.browser.post("/v1/link", json={"link": link})).json()["secret"]
    code = {"code": made.code()} if made.secret else {}
    used = await made.browser.post("/v1/link/password", json={"link": link, "password": PASSWORD, **code})
    assert used.status_code == 200, used.text
    made.recovery = used.json()["recovery"]
    return made


async def signed_in(server: OfficeServer, role: str, name: str, **more: Any) -> Somebody:
    """The same, signed in."""
    made = await somebody(server, role, name, **more)
    answer = await made.sign_in()
    assert answer.status_code == 200, answer.text
    return made
