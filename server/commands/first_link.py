"""One-time links of the command line: for somebody by name, and for the first administrator."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.commands.opening import now_ms, random
from server.refused import RefusedError
from server.services import open_services
from server.sessions import links
from server.settings import Settings
from server.staff import service as people
from server.staff.service import Candidate, one
from server.storage import directory, sign_in, staff
from server.storage.engine import snapshot
from server.storage.staff import StaffRow

ADMINISTRATOR: Final = "administrator"
FIRST_NAME: Final = "管理员"
"""Who the first administrator is called when nobody has added one."""


async def link_for(
    settings: Settings, engine: AsyncEngine, who: str, township: str | None
) -> tuple[StaffRow, str]:
    """A new link's secret for a person; raises RefusedError for somebody who is not there or disabled."""

    async def find(connection: AsyncConnection) -> StaffRow:
        return one(await staff.find(connection, who, township), who)

    person = await snapshot(engine, find)
    if person.disabled_ms is not None:
        message = f"{person.name} is disabled: `roundbook staff enable` undoes that."
        raise RefusedError(message)
    return person, await links.make(open_services(settings, engine), person)


async def first_administrator(settings: Settings, engine: AsyncEngine) -> tuple[StaffRow, str] | None:
    """A link for the first administrator; None when one has a password, or no township is open yet.

    When nobody was added as one, somebody is, in the first township that is open.
    """
    opened = await snapshot(engine, directory.opened)
    found: list[StaffRow] = []
    for township in opened:

        async def read(
            connection: AsyncConnection, township: str = township.township
        ) -> tuple[list[StaffRow], set[str]]:
            rows = await staff.listed(connection, township)
            return rows, await sign_in.with_password(connection, township)

        rows, ready = await snapshot(engine, read)
        administrators = [row for row in rows if row.role == ADMINISTRATOR and row.disabled_ms is None]
        if any(row.staff_id in ready for row in administrators):
            return None
        found += administrators
    if not opened:
        return None
    person = found[0] if found else None
    if person is None:
        candidate = Candidate(FIRST_NAME, ADMINISTRATOR, opened[0].township)
        person = await people.add(engine, candidate, now_ms=now_ms(), random=random)
    return person, await links.make(open_services(settings, engine), person)
