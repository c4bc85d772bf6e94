"""OfficeClient and its asyncio twin: against a real server in this process, and against hostile links."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from client_sdk.loopback import AsyncLoopbackTransport, LoopbackTransport
from client_sdk.office import AsyncOfficeClient, OfficeClient
from client_sdk.office_operations import Operations
from client_sdk.transport import LinkBroken, Response
from sync_protocol.changes import Act
from sync_protocol.errors import (
    CursorExpired,
    Forbidden,
    InvalidRecord,
    NotFound,
    Offline,
    Refused,
    VersionConflict,
)
from tests.server.office_server import GRID, NEXT_GRID, TOWN, VILLAGE, OfficeServer, office_server
from tests.wiring import application

URL = "http://office.test"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[OfficeServer]:
    async with office_server(database_url) as running:
        yield running


@pytest.fixture
async def link(server: OfficeServer) -> AsyncIterator[AsyncLoopbackTransport]:
    async with AsyncLoopbackTransport(server.app) as shared:
        yield shared


@pytest.fixture
async def office(server: OfficeServer, link: AsyncLoopbackTransport) -> AsyncOfficeClient:
    return AsyncOfficeClient(URL, token=await server.token(), transport=link)


# --- against a server -------------------------------------------------------------------------------


async def test_a_ticket_from_another_system(office: AsyncOfficeClient) -> None:
    key = "12345:2026-884213"
    found_at = datetime(2025, 6, 15, 12, tzinfo=UTC)
    ticket = await office.create("matter", key=key, village=VILLAGE, title="路灯不亮", found_at=found_at)
    assert (ticket.state, ticket.village, ticket.grid) == ("reported", VILLAGE, None)
    assert ticket.fields["found_at"] == "2025-06-15T12:00:00Z"
    same = await office.create("matter", key=key, village=VILLAGE, title="路灯不亮", found_at=found_at)
    assert same == ticket
    with pytest.raises(Refused) as refused:
        await office.create("matter", key=key, village=VILLAGE, title="别的")
    assert (refused.value.server_code, refused.value.status) == ("key_reused", 409)
    placed = await office.update(ticket, grid=GRID, narrative="灯杆歪了。")
    assert (placed.grid, placed.fields["narrative"]) == (GRID, "灯杆歪了。")
    longer = await office.append(placed, "references", system="12345", number="884213")
    (entry,) = longer.fields["references"]
    edited = await office.edit_entry(longer, "references", entry, note="已回访")
    assert edited.fields["references"][entry]["note"] == "已回访"
    assert "references" not in (await office.remove_entry(edited, "references", entry)).fields
    assert [one.do for one in await office.history(ticket)] == ["create", *["edit"] * 4]
    assert (await office.get(ticket.id, fields=["title"])).fields == {"title": "路灯不亮"}


async def test_pages_are_read_as_one_list(office: AsyncOfficeClient) -> None:
    for n in range(5):
        await office.create("matter", key=str(n), grid=GRID if n % 2 else NEXT_GRID, title=f"第{n}件")
    listed = [record async for record in office.records("matter", page=2)]
    assert len({record.id for record in listed}) == 5
    in_grid = [record.fields async for record in office.records("matter", grid=GRID, fields=["title"])]
    assert sorted(fields["title"] for fields in in_grid) == ["第1件", "第3件"]
    assert [r async for r in office.records(closed=True)] == []
    with pytest.raises(InvalidRecord):
        [r async for r in office.records(grid="1")]


async def test_figures_hold_no_record_and_no_small_count(
    server: OfficeServer, office: AsyncOfficeClient, link: AsyncLoopbackTransport
) -> None:
    for n in range(5):
        await office.create("matter", key=str(n), grid=GRID, title=f"第{n}件", category="02")
    server.now_ms += 62 * 86_400_000  # June is over
    with pytest.raises(Forbidden):
        await office.figures("found")
    board = AsyncOfficeClient(URL, token=await server.token("figures:read", name="看板"), transport=link)
    june: dict[str, Any] = {"since": date(2025, 6, 1), "until": "2025-07-01"}
    found = await board.figures("found", by="village", **june)
    assert (found.matters, [(cell.code, cell.matters) for cell in found.cells]) == (5, [(VILLAGE, 5)])
    assert (found.since, found.least) == (date(2025, 6, 1), 5)
    assert (await board.figures("closed", by="category", **june)).cells == []
    with pytest.raises(InvalidRecord):
        await board.figures("scores")


async def test_errors_are_those_of_the_tree(server: OfficeServer, office: AsyncOfficeClient) -> None:
    with pytest.raises(NotFound):
        await office.get(server.new_id())
    with pytest.raises(InvalidRecord) as invalid:
        await office.create("matter", key="x", township=TOWN, title="x", category="no such")
    assert invalid.value.field == "category"
    with pytest.raises(InvalidRecord) as naive:
        await office.create("matter", key="x", township=TOWN, title="x", found_at=datetime(2025, 6, 15))  # noqa: DTZ001 (naive on purpose)
    assert naive.value.field == "found_at"
    ticket = await office.create("matter", key="x", township=TOWN, title="x")
    newer = await office.update(ticket, title="y")
    with pytest.raises(VersionConflict) as stale:
        await office.update(ticket, title="z")
    assert stale.value.server_code == "version_conflict"
    assert (await office.update(ticket.id, base=newer, title="z")).fields["title"] == "z"
    with pytest.raises(Forbidden):
        await office.act(ticket, "close", note="x")
    with pytest.raises(TypeError, match="base="):
        await office.update(ticket.id, title="x")
    with pytest.raises(TypeError, match="grid="):
        await office.create("matter", key="y", title="x")
    with pytest.raises(TypeError, match="one place"):
        await office.create("matter", key="y", grid=GRID, township=TOWN, title="x")
    with pytest.raises(CursorExpired, match="records"):
        raise_expired()


def raise_expired() -> None:
    """A 410, as the server says it."""
    problem = {"code": "cursor_expired", "status": 410}
    client = OfficeClient(URL, token="t", transport=Script([answer(410, problem)]))
    list(client.changes("old"))


async def test_a_draft_is_reported_and_its_actions_listed(
    server: OfficeServer, office: AsyncOfficeClient
) -> None:
    device = await server.device("李四")
    create = device.create(fields={"title": "漏水"})
    await device.push(create)
    draft = await office.get(create.record)
    assert [one.name for one in await office.actions(draft)] == ["report"]
    reported = await office.act(draft, "report", note="代报", urgency=None)
    assert (reported.state, reported.number) == ("reported", f"{TOWN}-2025-00001")
    with pytest.raises(VersionConflict):
        await office.act(draft, "report")


async def test_conflicts_and_quarantine(server: OfficeServer, office: AsyncOfficeClient) -> None:
    one, two = await server.device("李四"), await server.device("王五")
    create = one.create(fields={"title": "漏水"}, act=Act("report", "draft", "reported"))
    await one.push(create)
    version = (await server.state(create.record)).version
    await one.push(one.change(create.record, base=version, fields={"people_involved": 5}))
    late = two.change(create.record, base=version, fields={"people_involved": 7})
    bad = two.change(create.record, base=version, fields={"source": "no such", "narrative": "。"})
    await two.push(late, bad)
    (found,) = await office.conflicts()
    assert [side.value for side in found.values] == [5, 7]
    shown = await office.conflict(found.id)
    assert shown.rest is not None
    assert shown.rest.fields["title"] == "漏水"
    decided = await office.resolve(shown, pick=shown.values[1], reason="都在场")
    assert (decided.status, decided.stands) == ("decided", 7)
    with pytest.raises(Refused) as twice:
        await office.resolve(shown.id, value=5)
    assert twice.value.server_code == "already_decided"
    assert await office.conflicts(record=create.record) == []

    (waiting,) = await office.quarantine()
    assert waiting.who.author_name == "王五"
    with pytest.raises(InvalidRecord):
        await office.replay(waiting)
    done = await office.replay(waiting, fields={"source": None}, reason="来源不对")
    assert [one.result for one in done.taken] == ["applied"]
    assert done.record is not None
    assert done.record.fields["narrative"] == "。"
    assert await office.quarantine() == []


async def test_the_feed_is_followed(
    server: OfficeServer, link: AsyncLoopbackTransport, office: AsyncOfficeClient
) -> None:
    desk = AsyncOfficeClient(URL, token=await server.token(name="看板"), transport=link)
    start = await desk.position()
    ticket = await office.create("matter", key="1", grid=GRID, title="甲")
    await office.update(ticket, title="乙")
    events = [change async for change in desk.changes(since=start)]
    assert [(change.action, change.record.fields["title"]) for change in events] == [
        ("created", "乙"),
        ("edited", "乙"),
    ]
    rest = [change async for change in desk.changes(since=events[0].cursor, limit=1)]
    assert [change.change for change in rest] == [events[1].change]
    own = [change async for change in office.changes(own=True)]
    assert len(own) == 2
    assert [change async for change in office.changes()] == []

    async def next_one() -> str:
        return (await anext(aiter(desk.changes(since=events[-1].cursor, wait_s=20)))).action

    waiting = asyncio.create_task(next_one())
    await asyncio.sleep(0.2)
    await office.update(ticket.id, base=await office.get(ticket.id), title="丙")
    assert await asyncio.wait_for(waiting, 10) == "edited"


def test_the_blocking_client_on_the_same_server(database_url: str) -> None:
    running = OfficeServer(database_url)
    with application(running.services) as running.app, LoopbackTransport(running.app) as link:
        link.run(running.prepare())
        token = link.run(running.token())
        with OfficeClient(URL, token=token, transport=link) as office:
            ticket = office.create("matter", key="1", grid=GRID, title="甲")
            assert office.update(ticket, title="乙").fields["title"] == "乙"
            assert [record.id for record in office.records("matter")] == [ticket.id]
            assert [change.action for change in office.changes(own=True)] == ["created", "edited"]
            with pytest.raises(NotFound):
                office.get("nothing")


# --- against a link ---------------------------------------------------------------------------------


def answer(status: int, body: Any, **headers: str) -> Response:
    kind = "application/json" if status < 400 else "application/problem+json"
    return Response(status, {"content-type": kind, **headers}, msgspec.json.encode(body))


RECORD: dict[str, Any] = {
    "id": "r",
    "kind": "matter",
    "township": TOWN,
    "place": TOWN,
    "state": None,
    "number": None,
    "version": 3,
    "closed": False,
    "deleted": False,
    "fields": {},
    "masked": False,
    "new_member": 1,
}


class Script:
    """A link that answers as it was told to, and keeps what was asked."""

    def __init__(self, answers: list[Response | LinkBroken]) -> None:
        self.answers = iter(answers)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.timeouts: list[float] = []

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 0
    ) -> Response:
        self.asked.append((method, path, headers, body))
        self.timeouts.append(timeout_s)
        heard = next(self.answers)
        if isinstance(heard, LinkBroken):
            raise heard
        return heard

    def close(self) -> None:
        message = "a client never closes a transport that was handed to it"
        raise AssertionError(message)


@pytest.fixture
def slept() -> list[float]:
    return []


Scripted = Callable[..., tuple[OfficeClient, Script]]


@pytest.fixture
def scripted(slept: list[float]) -> Scripted:
    def make(*answers: Response | LinkBroken) -> tuple[OfficeClient, Script]:
        link = Script(list(answers))
        client = OfficeClient(
            URL,
            token="secret",
            transport=link,
            random=lambda n: b"\x80" * n,
            clock=lambda: 0,
            sleep=slept.append,
        )
        return client, link

    return make


def test_a_lost_answer_is_asked_for_again_with_the_same_key(scripted: Scripted, slept: list[float]) -> None:
    busy = answer(503, {"code": "unavailable"}, **{"retry-after": "7"})
    client, link = scripted(LinkBroken("cut"), busy, answer(200, RECORD))
    with client:
        assert client.update("r", base=2, title="x").version == 3
    assert len(link.asked) == 3
    assert link.asked[0] == link.asked[1] == link.asked[2]
    headers = link.asked[0][2]
    assert headers["if-match"] == '"2"'
    assert headers["authorization"] == "Bearer secret"
    assert len(headers["idempotency-key"]) == 32
    assert slept == [0.25, 7.0]


def test_back_off_grows_and_ends(scripted: Scripted, slept: list[float]) -> None:
    client, link = scripted(*[LinkBroken("no_connection")] * 5)
    with pytest.raises(Offline, match="no_connection"):
        client.get("r")
    assert len(link.asked) == 5
    assert slept == [0.25, 0.5, 1.0, 2.0]


def test_what_never_gets_better_is_not_repeated(scripted: Scripted) -> None:
    for status, code in ((400, "malformed"), (401, "unauthorised"), (409, "key_reused"), (422, "other")):
        client, link = scripted(answer(status, {"code": code, "detail": "x"}))
        with pytest.raises(Refused) as refused:
            client.get("r")
        assert (refused.value.server_code, refused.value.status) == (code, status)
        assert len(link.asked) == 1


def test_row_5_a_captive_portal_is_no_server(scripted: Scripted) -> None:
    """Failures, row 5."""
    html = Response(200, {"content-type": "text/html"}, b"<html>log in</html>")
    gone = Response(404, {"content-type": "text/html"}, b"<html>not here</html>")
    packed = Response(200, {"content-type": "application/json", "content-encoding": "gzip"}, b"no gzip")
    broken = answer(500, {"code": "internal"})
    for portal in (html, gone, packed, broken, answer(200, {"id": 3}), answer(200, RECORD | {"fields": 3})):
        client, _ = scripted(portal)
        with pytest.raises(Offline):
            client.get("r")


def test_a_long_wait_is_several_requests_and_ends_when_nothing_comes(scripted: Scripted) -> None:
    empty = answer(200, {"changes": [], "cursor": "c2"})
    client, link = scripted(empty, empty, empty)
    assert list(client.changes("c1", wait_s=70)) == []
    paths = [path for _, path, _, _ in link.asked]
    assert [path.split("&")[:2] for path in paths] == [
        ["/v1/changes?since=c1", "wait_s=30.0"],
        ["/v1/changes?since=c2", "wait_s=30.0"],
        ["/v1/changes?since=c2", "wait_s=10.0"],
    ]
    assert min(link.timeouts) > 30


def test_ids_cannot_leave_their_place_in_the_path(scripted: Scripted) -> None:
    client, link = scripted(answer(200, RECORD))
    client.get("../changes?own=true")
    assert link.asked[0][1] == "/v1/records/..%2Fchanges%3Fown%3Dtrue"


def test_both_clients_have_every_operation_and_nothing_else() -> None:
    operations = {name for name in vars(Operations) if not name.startswith("_")}
    for client in (OfficeClient, AsyncOfficeClient):
        public = {name for name in vars(client) if not name.startswith("_")}
        assert public - {"carry_out", "close"} == operations
    for name in operations:
        blocking, awaited = vars(OfficeClient)[name], vars(AsyncOfficeClient)[name]
        assert inspect.signature(blocking) == inspect.signature(awaited)
        assert blocking.__doc__ == awaited.__doc__
        assert blocking.__doc__
