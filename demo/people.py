"""The people of the round's offices, each with a browser of their own: a one-time link, a password, a session."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import msgspec

from client_sdk import HttpTransport, OfficeClient, Refused, Response
from demo.plan import TOWNSHIP

COUNTY: Final = TOWNSHIP[:6]
UNIT: Final = "司法所"
_TIMEOUT_S: Final = 60.0
_PASSWORD_BYTES: Final = 16
_PLAIN: Final = {"content-type": "application/json", "accept-encoding": "identity"}


class Colleague(msgspec.Struct, frozen=True):
    """Somebody, before they have a password."""

    name: str
    role: str
    office: str = TOWNSHIP
    village: str | None = None
    unit: str | None = None


COLLEAGUES: Final = (
    Colleague("赵敏（综治中心）", "clerk"),
    Colleague("钱建国（副镇长）", "leader"),
    Colleague("孙卫东（潘元村）", "village_officer", village=f"{TOWNSHIP}203"),
    Colleague("周正（司法所）", "unit_handler", unit=UNIT),
    Colleague("吴晓（县信访局）", "county_handler", office=COUNTY),
    Colleague("郑平（县政法委）", "county_observer", office=COUNTY),
)
"""Whom the demo has besides workers; the administrator is invited by the server itself."""


class Invited(msgspec.Struct, frozen=True):
    """A colleague with their id and a one-time link's secret."""

    colleague: Colleague
    id: str
    link: str


class Browser:
    """A person's browser as a transport: the cookie of their session, and the page's own value with every request.

    Sessions end when they are idle, and a round's days are long: `sign_in` begins another.
    """

    def __init__(self, url: str, person: Colleague, password: str) -> None:
        self._link = HttpTransport(url)
        self._person, self._password = person, password
        self._session: dict[str, str] = {}

    def set_password(self, link: str) -> None:
        """Uses a one-time link."""
        self._ask("POST", "/v1/link/password", {"link": link, "password": self._password})

    def sign_in(self) -> None:
        """Begins a session."""
        person = self._person
        says = {"township": person.office, "name": person.name, "password": self._password}
        answer = self._ask("POST", "/v1/sign-in", says)
        cookie = answer.headers["set-cookie"].partition(";")[0]
        self._session = {"cookie": cookie, "roundbook-csrf": msgspec.json.decode(answer.body)["csrf"]}

    def put(self, path: str, body: dict[str, Any]) -> None:
        """What the SDK for applications has no name for."""
        self._ask("PUT", path, body)

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = _TIMEOUT_S
    ) -> Response:
        """See Transport: an application's token is left out."""
        own = {name: value for name, value in headers.items() if name != "authorization"}
        return self._link.exchange(method, path, {**own, **self._session}, body, timeout_s)

    def close(self) -> None:
        """See Transport."""
        self._link.close()

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> Response:
        answer = self.exchange(method, path, _PLAIN, msgspec.json.encode(body))
        if answer.status >= 300:  # noqa: PLR2004 (HTTP)
            said = msgspec.json.decode(answer.body)
            raise Refused(said["code"], f"{self._person.name}: {said['title']}", answer.status)
        return answer


class Desk:
    """Somebody at work: their browser, and the names that the SDK has for what they do."""

    def __init__(self, browser: Browser, random: Callable[[int], bytes], clock: Callable[[], int]) -> None:
        self.browser = browser
        self.client = OfficeClient("", token="", transport=browser, random=random, clock=clock)

    def at_work(self) -> OfficeClient:
        """Signs in, and gives what one works with."""
        self.browser.sign_in()
        return self.client


class Offices:
    """Everybody's desk, by role."""

    def __init__(
        self, url: str, invited: Sequence[Invited], random: Callable[[int], bytes], clock: Callable[[], int]
    ) -> None:
        self._invited = {one.colleague.role: one for one in invited}
        self._desks = {
            role: Desk(Browser(url, one.colleague, secrets.token_hex(_PASSWORD_BYTES)), random, clock)
            for role, one in self._invited.items()
        }

    def open(self) -> None:
        """Everybody sets their password."""
        for role, desk in self._desks.items():
            desk.browser.set_password(self._invited[role].link)

    def __getitem__(self, role: str) -> Desk:
        return self._desks[role]

    def id_of(self, role: str) -> str:
        """The id of the person of a role."""
        return self._invited[role].id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for desk in self._desks.values():
            desk.browser.close()
