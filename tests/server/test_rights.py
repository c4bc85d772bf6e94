"""The one table of role, action and scope (server/rights.toml): every route has its rule, and every cell holds.

What a cell must mean is said here once more, by hand (`SEEN`), so that code and table are not compared with
themselves: which of a few matters a person of each scope meets.
"""

from collections.abc import AsyncIterator

import httpx2
import msgspec
import pytest
from litestar import Litestar, get

from server.app import create_app
from server.reach import unit_name
from server.rights import INSIDE, PEOPLE, Rights, Scope, rights
from server.settings import Settings
from tests.server.office_server import GRID, OTHER_TOWN, TOWN, VILLAGE, OfficeServer, office_server
from tests.server.people import signed_in
from tests.server.world import OTHER_VILLAGE, World, furnished, routes

UNKNOWN = "01900000-0000-7000-8000-00000000dead"
OPEN = {
    ("GET", "/schema"),
    ("GET", "/schema/openapi.json"),
    ("GET", "/schema/{path:str}"),
    ("GET", "/office/static/{file_path:path}"),
    ("GET", "/pages/{name:str}"),
    ("GET", "/sign-in"),
    ("GET", "/welcome"),
    ("GET", "/v1/health/live"),
    ("GET", "/v1/health/ready"),
    ("POST", "/v1/devices/enrol"),
    ("POST", "/v1/link"),
    ("POST", "/v1/link/password"),
    ("POST", "/v1/sign-in"),
    ("POST", "/v1/sync"),
}
"""What needs no token and no session. A route that is added here is a decision."""
SEEN: dict[Scope | None, set[str]] = {
    None: set(),
    "self": set(),
    "grids": {"own grid"},
    "village": {"own grid", "own village"},
    "assigned": {"assigned"},
    "taken_on": {"taken on"},
    "passed_up": {"passed up", "passed up elsewhere"},
    "township": {"own grid", "own village", "other village", "assigned", "taken on", "passed up"},
}
RESTRICTED: dict[Scope | None, set[str]] = {
    "assigned": {"restricted assigned"},
    "taken_on": {"restricted assigned"},
    "township": {"restricted", "restricted assigned"},
}
"""What people see besides who are named for restricted matters."""


# --- every route has a rule -----------------------------------------------------------------------


def without_rule(app: Litestar, table: Rights) -> list[tuple[str, str]]:
    return sorted(
        key for key, action in routes(app).items() if action not in table.actions and action not in table.open
    )


@pytest.fixture
def app(server: OfficeServer) -> Litestar:
    return server.app


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


async def test_every_route_has_its_rule_and_every_rule_its_route(app: Litestar) -> None:
    table, declared = rights(), routes(app)
    assert without_rule(app, table) == []
    assert {key for key, action in declared.items() if action in table.open} == OPEN
    assert set(declared.values()) == {*table.open, *table.actions} - set(INSIDE)
    # A page may do what a route for programs does, under the same rule; of those each has its own.
    named = [a for (_, path), a in declared.items() if a != "schema" and not path.startswith("/office")]
    assert len(named) == len(set(named)), "two routes share an action"


async def test_without_any_one_rule_its_route_is_found(app: Litestar) -> None:
    table = rights()
    for action in {*table.actions, *table.open} - set(INSIDE):
        less = msgspec.structs.replace(
            table,
            actions={name: rule for name, rule in table.actions.items() if name != action},
            open={name: why for name, why in table.open.items() if name != action},
        )
        found = {routes(app)[key] for key in without_rule(app, less)}
        assert found == {action}


async def test_a_route_that_declares_nothing_is_closed(server: OfficeServer) -> None:
    @get("/v1/forgotten")
    async def forgotten() -> str:
        return "secret"

    @get("/v1/misspelt", opt={"action": "records.reed"})
    async def misspelt() -> str:
        return "secret"

    server.app = create_app(Settings(), server.services)
    server.app.register(forgotten)
    server.app.register(misspelt)
    chief = await signed_in(server, "administrator", "钱主任")
    async with await server.client() as token, server.client_with("") as nobody:
        for path in ("/v1/forgotten", "/v1/misspelt"):
            assert [(await one.get(path)).status_code for one in (chief.browser, token, nobody)] == [
                403,
                403,
                401,
            ]


def test_every_scope_of_a_token_opens_something() -> None:
    table = rights()
    used = {rule.application for rule in table.actions.values()} - {None}
    assert set(table.scopes) == used


# --- every cell of it, over HTTP ------------------------------------------------------------------


@pytest.fixture
async def world(server: OfficeServer) -> World:
    return await furnished(server)


@pytest.fixture(scope="module")
async def settled(module_database_url: str) -> AsyncIterator[World]:
    """The same for tests that leave every matter as it is: each adds a person."""
    async with office_server(module_database_url) as running:
        yield await furnished(running)


READING = {
    "records.read": "",
    "records.history": "/history",
    "records.steps": "/actions",
    "assignments.read": "/units",
    "leaders.read": "/leaders",
    "deadlines.read": "/deadlines",
}
SETTING = {"assignments.set": "units", "leaders.set": "leaders"}


async def ask(browser: httpx2.AsyncClient, action: str, record: str) -> httpx2.Response:
    """One request of an action about a record, harmless where it is allowed."""
    path = f"/v1/records/{record}"
    if action in READING:
        return await browser.get(f"{path}{READING[action]}")
    if action in SETTING:
        what = SETTING[action]
        now = (await browser.get(f"{path}/{what}")).json().get(what, [])
        return await browser.put(f"{path}/{what}", json={what: now})
    match action:
        case "records.edit":
            return await browser.patch(path, json={}, headers={"if-match": "*"})
        case "records.act":
            return await browser.post(f"{path}/actions", json={"action": "no_such_step"})
        case "contact.show":
            return await browser.post(f"{path}/contact", json={"reason": "电话回访"})
    raise AssertionError(action)


ABOUT_ONE = [
    "records.read",
    "records.history",
    "records.steps",
    "records.edit",
    "records.act",
    "contact.show",
    "deadlines.read",
    "assignments.read",
    "assignments.set",
    "leaders.read",
    "leaders.set",
]
PERSONS = [(role, False) for role in PEOPLE] + [
    (role, True)
    for role in ("grid_worker", "village_officer", "clerk", "leader", "unit_handler", "county_handler")
]


def expected(action: str, role: str, *, named: bool) -> tuple[bool, set[str]]:
    """Whether a role may do an action at all, and on which matters."""
    scope = rights().actions[action].scope_of(role)
    return scope is not None, SEEN[scope] | (RESTRICTED.get(scope, set()) if named else set())


@pytest.mark.parametrize(("role", "named"), PERSONS)
async def test_each_role_meets_what_its_scope_says_and_nothing_else(
    settled: World, role: str, *, named: bool
) -> None:
    person = await settled.person(role, named=named)
    for action in ABOUT_ONE:
        may, seen = expected(action, role, named=named)
        nothing = await ask(person.browser, action, UNKNOWN)
        assert nothing.json()["code"] == ("not_found" if may else "forbidden"), action
        for name, record in settled.matters.items():
            answer = await ask(person.browser, action, record)
            if not may:
                assert (answer.status_code, answer.json().get("role")) == (403, role), (action, name)
            elif name in seen:
                assert answer.status_code == 200 or answer.json().get("cause") == "not_permitted", name
            else:
                assert (answer.status_code, answer.content) == (404, nothing.content), (action, name)


@pytest.mark.parametrize(("role", "named"), PERSONS)
async def test_lists_and_the_feed_hold_the_same(settled: World, role: str, *, named: bool) -> None:
    person = await settled.person(role, named=named)
    names = {record: name for name, record in settled.matters.items()}
    for action, path, key in (
        ("records.list", "/v1/records", "records"),
        ("changes.follow", "/v1/changes", "changes"),
    ):
        may, seen = expected(action, role, named=named)
        answer = await person.browser.get(path)
        assert answer.status_code == (200 if may else 403), action
        rows = answer.json().get(key, [])
        assert {names[row["id"] if key == "records" else row["record"]["id"]] for row in rows} == seen, action
    for place in (OTHER_TOWN, f"{OTHER_TOWN}203001"):
        elsewhere = await person.browser.get("/v1/records", params={"place": place})
        found = {names[row["id"]] for row in elsewhere.json().get("records", [])}
        assert found == (
            {"passed up elsewhere"} if role == "county_handler" and place == OTHER_TOWN else set()
        )


@pytest.mark.parametrize("role", PEOPLE)
async def test_a_record_is_made_and_moved_within_the_own_reach_only(world: World, role: str) -> None:
    person = await world.person(role, named=False)
    scope = rights().actions["records.create"].scope_of(role)
    inside = {"village": {GRID, VILLAGE}, "township": {GRID, VILLAGE, f"{OTHER_VILLAGE}001", TOWN}}
    for place in (GRID, VILLAGE, f"{OTHER_VILLAGE}001", TOWN, f"{OTHER_TOWN}203001", OTHER_TOWN):
        fields = {"title": "新", "nature": "service"}
        new = {"kind": "matter", "key": f"n{place}", "place": place, "fields": fields}
        answer = await person.browser.post("/v1/records", json=new)
        if scope is None:
            assert answer.json()["code"] == "forbidden"
        elif place in inside[scope]:
            assert answer.status_code == 201, answer.text
        else:
            assert (answer.status_code, answer.json()["cause"]) == (422, "unknown_place")
    if scope == "village":
        path = f"/v1/records/{world.matters['own grid']}"
        moved = await person.browser.patch(
            path, json={"place": f"{OTHER_VILLAGE}001"}, headers={"if-match": "*"}
        )
        assert moved.json()["cause"] == "unknown_place"


@pytest.mark.parametrize("role", PEOPLE)
async def test_what_is_not_about_one_record(settled: World, role: str) -> None:
    """The desk's inbox, the feed, people: open or closed as the table says."""
    person = await settled.person(role, named=False)
    about, case = f"/v1/records/{UNKNOWN}", f"/office/matters/{UNKNOWN}"
    extension = {"rule": "resolve", "amount": 1, "reason": "x"}
    requests = {
        "contact.look_up": ("POST", "/v1/contact-lookup", {"contact": "13800138000", "reason": "电话询问"}),
        "deadlines.list": ("GET", "/v1/deadlines", None),
        "deadlines.follow": ("GET", "/v1/deadlines/events", None),
        "deadlines.explain": ("POST", f"{about}/explanations", {"rule": "resolve", "text": "x"}),
        "deadlines.ask": ("POST", f"{about}/extensions", extension),
        "deadlines.decide": (
            "POST",
            f"{about}/extensions/{UNKNOWN}/decide",
            {"approved": True, "reason": "x"},
        ),
        "conflicts.list": ("GET", "/v1/conflicts", None),
        "conflicts.read": ("GET", f"/v1/conflicts/{UNKNOWN}", None),
        "conflicts.decide": ("POST", f"/v1/conflicts/{UNKNOWN}/resolve", {"value": 1}),
        "quarantine.list": ("GET", "/v1/quarantine", None),
        "quarantine.replay": ("POST", f"/v1/quarantine/{UNKNOWN}/replay", {}),
        "rescue.hand_in": ("POST", "/v1/rescue", None),
        "matters.show": ("POST", f"/v1/matters/{UNKNOWN}/held", {"reason": "本人申请"}),
        "matters.erase": ("POST", f"/v1/matters/{UNKNOWN}/erase", {"reason": "本人申请"}),
        "matters.hold": ("POST", f"/v1/matters/{UNKNOWN}/hold", {"reason": "法院调取"}),
        "matters.lift": ("POST", f"/v1/matters/{UNKNOWN}/lift", {"reason": "案件已结"}),
        "narratives.search": ("POST", "/v1/narrative-search", {"text": "水渠", "reason": "同类排查"}),
        "staff.sign_out": ("POST", f"/v1/staff/{UNKNOWN}/sign-out", None),
        "figures.read": ("GET", "/v1/figures?measure=found", None),
        "session.read": ("GET", "/v1/session", None),
        "password.change": ("POST", "/v1/session/password", {"old": "x", "new": "y"}),
        "console.open": ("GET", "/office/pulse", None),
        "inbox.open": ("GET", "/office/inbox", None),
        "mine.open": ("GET", "/office/mine", None),
        "devices.list": ("GET", "/office/devices", None),
        "devices.change": ("POST", "/office/devices", None),
        "people.list": ("GET", "/office/people", None),
        "people.change": ("POST", "/office/people", None),
        "places.list": ("GET", "/office/places", None),
        "places.set": ("POST", "/office/places", None),
        "rounds.list": ("GET", "/office/rounds", None),
        "ledger.export": ("GET", "/office/ledger/export?form=csv", None),
        "matters.import": ("GET", "/office/import", None),
        "matters.gather": ("GET", "/office/affairs/new", None),
        "records.join": ("GET", "/office/duplicates", None),
        "slips.read": ("GET", f"/office/slips/{UNKNOWN}/pdf", None),
        "slips.make": ("GET", f"{case}/slips/new/acceptance", None),
        "slips.set_words": ("GET", "/office/settings/slips", None),
        "urgings.make": ("POST", f"{case}/urgings", None),
        "urgings.answer": ("POST", f"{case}/urgings/{UNKNOWN}/answer", None),
        "villages.set_defaults": ("GET", "/office/settings/villages", None),
        "session.end": ("DELETE", "/v1/session", None),
    }
    table = rights().actions
    covered = {*requests, *ABOUT_ONE, "records.list", "records.create", "changes.follow"}
    assert covered == set(table) - set(INSIDE)
    for action, (method, path, body) in requests.items():
        answer = await person.browser.request(method, path, json=body)
        told = path.startswith("/office") or answer.status_code != 403 or answer.json().get("role") == role
        refused = answer.status_code == 403 and told
        assert refused == (table[action].scope_of(role) is None), (action, answer.text)


async def test_contact_stays_masked_for_every_role(world: World) -> None:
    clerk = await world.person("clerk", named=False)
    path = f"/v1/records/{world.matters['own grid']}"
    append = {"entries": {"parties": {"append": [{"name": "刘大", "contact": "13800138000"}]}}}
    done = await clerk.browser.patch(path, json=append, headers={"if-match": "*"})
    assert done.status_code == 200, done.text
    read = await clerk.browser.get(path)
    assert "138****8000" in read.text
    assert "13800138000" not in read.text + (await clerk.browser.get(f"{path}/history")).text


def test_a_unit_is_the_same_however_it_was_typed() -> None:
    assert unit_name("  司法所 ") == unit_name("司法所") == "司法所"
    assert unit_name("a\x07b") == ""
