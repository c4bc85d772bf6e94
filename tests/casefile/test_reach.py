"""Whose case file somebody opens: the same matters that the interface for programs shows them."""

from collections.abc import AsyncIterator

import pytest

from tests.server.office_server import office_server
from tests.server.test_rights import UNKNOWN, expected
from tests.server.world import World, furnished


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with office_server(database_url) as running:
        yield await furnished(running)


@pytest.mark.parametrize("role", ["village_officer", "leader", "unit_handler", "county_handler"])
async def test_a_case_opens_for_whom_it_lies_within_reach_and_is_unknown_to_others(
    world: World, role: str
) -> None:
    person = await world.person(role, named=False)
    _, seen = expected("records.read", role, named=False)
    nothing = await person.browser.get(f"/office/matters/{UNKNOWN}")
    assert nothing.status_code == 404
    for name, record in world.matters.items():
        opened = await person.browser.get(f"/office/matters/{record}")
        assert opened.status_code == (200 if name in seen else 404), name
        if name not in seen:
            assert opened.content == nothing.content
