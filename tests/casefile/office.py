"""A township's office at work on one matter: people of each role, and what a paper says."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from docx import Document

from server.reach import Caller
from server.records import service as records
from server.records.creating import NewRecord
from server.rights import Person, person_caller, rights
from tests.server.office_server import GRID, TOWN, OfficeServer, office_server

HOSTILE: Final = (
    '#import "x"; #panic() $a$ {{reason}} {% x %} </w:t><script>alert(1)</script> \u202eabc\x0b 《水渠》'
)
NAME, NUMBER = "王小明", "13800138000"


class Office:
    """The services, asked as the pages ask them."""

    def __init__(self, server: OfficeServer) -> None:
        self.server, self.services = server, server.services

    def caller(self, action: str, role: str = "clerk", **more: Any) -> Caller:
        """Somebody of a role about to do something."""
        given = {"unit": "司法所", "village": f"{TOWN}203", "townships": (TOWN,), **more}
        who = Person(TOWN, f"01900000-0000-7000-8000-{len(role):012}", f"某{role}", role, **given)
        found = person_caller(who, rights().actions[action], rights())
        assert found is not None, f"{role} may not {action}"
        return found

    async def matter(self, title: str = "水渠纠纷", **fields: Any) -> str:
        """A matter that a clerk has registered, with an applicant."""
        parties = [{"role": "applicant", "name": NAME, "contact": NUMBER, "safe_contact": "只在白天打"}]
        said = {"title": title, "nature": "dispute", "category": "02", "parties": parties, **fields}
        new = NewRecord("matter", self.server.new_id(), GRID, said)
        view, _ = await records.create(self.services, self.caller("records.create"), new)
        return view.id

    async def party(self, record: str) -> str:
        """The entry of its applicant."""
        entries: dict[str, Any] = (await self.server.state(record)).values["parties"]
        return next(iter(entries))


@asynccontextmanager
async def an_office(url: str) -> AsyncIterator[Office]:
    async with office_server(url) as server:
        yield Office(server)


def docx_text(paper: bytes) -> str:
    """What a DOCX says, a paragraph a line."""
    return "\n".join(line.text for line in Document(io.BytesIO(paper)).paragraphs)
