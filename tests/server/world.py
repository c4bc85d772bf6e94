"""Two townships of a county with matters in every relation to a person, and every route with its action."""

from dataclasses import dataclass, field
from functools import partial

from litestar import Litestar

from server.directory.service import open_township
from server.reach import Caller, Reach
from server.records import assigning, service
from server.records.assigning import Leaders, Units
from server.records.service import Step
from server.records.writing import Target
from server.storage.directory import Place, put_places
from server.storage.engine import transact
from tests.server.office_server import GRID, NEXT_GRID, OTHER_TOWN, TOWN, VILLAGE, OfficeServer
from tests.server.people import Somebody, signed_in

OTHER_VILLAGE = f"{TOWN}204"
UNIT = "司法所"


def routes(app: Litestar) -> dict[tuple[str, str], str | None]:
    """Every route with the action that it declares."""
    return {
        (method, route.path): handler.opt.get("action")
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"})
    }


@dataclass
class World:
    """Matters in every relation to the person under test, by what they are to them."""

    server: OfficeServer
    matters: dict[str, str] = field(default_factory=dict)
    people: int = 0
    """How many have been made."""

    def desk(self, township: str = TOWN) -> Caller:
        """A clerk, as services know one: a hundred of them need not sign in."""
        reach = Reach((township,), restricted=True)
        return Caller(self.server.new_id(), "布置", "clerk", reach, frozenset())

    async def person(self, role: str, *, named: bool) -> Somebody:
        scope: dict[str, object] = {"sees_restricted": named}
        if role == "village_officer":
            scope["village"] = VILLAGE
        if role == "unit_handler":
            scope["unit"] = f"  {UNIT} "
        self.people += 1
        made = await signed_in(self.server, role, f"某人{self.people}", **scope)
        if role == "grid_worker":
            await self.server.device_of(made.row, GRID)
        if role == "leader":
            for name in ("taken on", "restricted assigned"):
                given = Leaders([made.row.staff_id])
                await assigning.take_on(self.server.services, self.desk(), self.matters[name], given)
        return made


PLACES = {
    "own grid": GRID,
    "own village": NEXT_GRID,
    "other village": f"{OTHER_VILLAGE}001",
    "assigned": f"{OTHER_VILLAGE}002",
    "taken on": f"{OTHER_VILLAGE}003",
    "passed up": OTHER_VILLAGE,
    "passed up elsewhere": f"{OTHER_TOWN}203",
    "restricted": GRID,
    "restricted assigned": GRID,
    "other township": f"{OTHER_TOWN}203001",
}


async def furnished(server: OfficeServer) -> World:
    """A township with a matter in each relation to whoever is tested, and one next to it."""
    engine = server.services.engine
    village = Place(OTHER_VILLAGE, "village", TOWN, "别村村委会", 2023)
    await transact(engine, partial(put_places, rows=[village]))
    await open_township(engine, TOWN, grids=3, now_ms=server.now_ms, random=server.random)
    made = World(server)
    async with await server.client(townships=(TOWN, OTHER_TOWN)) as hotline:
        for name, place in PLACES.items():
            fields = {"title": name, "nature": "dispute", "restricted": name.startswith("restricted")}
            new = {"kind": "matter", "key": name, "place": place, "fields": fields}
            answer = await hotline.post("/v1/records", json=new)
            assert answer.status_code == 201, answer.text
            made.matters[name] = answer.json()["id"]
    for name in ("assigned", "restricted assigned"):
        await assigning.assign(server.services, made.desk(), made.matters[name], Units([UNIT]))
    for name, town in (("passed up", TOWN), ("passed up elsewhere", OTHER_TOWN)):
        for step in (Step("accept"), Step("pass_up", reason="难")):
            await service.act(server.services, made.desk(town), Target(made.matters[name]), step)
    return made
