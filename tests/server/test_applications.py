"""Tokens of applications: shown once, kept as a hash, checked in every township that they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from server.applications import service, tokens
from server.applications.service import SCOPES, NewApplication, authenticate
from server.directory.service import open_township
from server.refused import RefusedError
from server.services import Services
from server.storage.directory import Place, put_places
from server.storage.engine import transact
from sync_protocol.ids import uuid7
from tests.server.conftest import TOWNSHIP

OTHER = "321283105"
SOME_ID = uuid7(0, bytes(10))


@pytest.fixture
async def townships(services: Services, township: str) -> tuple[str, str]:
    """Two townships that work."""
    places = [
        Place(OTHER, "town", "321283", "别镇", 2023),
        Place(OTHER + "001", "village", OTHER, "别村", 2023),
    ]
    await transact(services.engine, lambda c: put_places(c, places))
    await open_township(services.engine, OTHER, grids=1, now_ms=services.clock(), random=services.random)
    return township, OTHER


async def _add(services: Services, *scopes: str, townships: tuple[str, ...] = (TOWNSHIP,)) -> NewApplication:
    return await service.add(
        services.engine,
        "12345热线",
        scopes or ("records:read",),
        townships,
        now_ms=services.clock(),
        random=services.random,
    )


async def test_a_token_says_what_it_is_for_and_opens_that(
    services: Services, townships: tuple[str, str]
) -> None:
    made = await _add(services, "review", "records:read", townships=(OTHER, TOWNSHIP, OTHER))
    prefix, application, named, secret = made.token.split(".")
    assert (prefix, application, named) == ("rbt", made.application.id, "321283104+321283105")
    assert len(secret) == 43
    found = await authenticate(services.engine, made.token, services.clock())
    assert found is not None
    assert (found.id, found.name, found.townships) == (application, "12345热线", townships)
    assert found.scopes == {"records:read", "review"}


async def test_the_database_holds_no_token(services: Services, township: str) -> None:
    made = await _add(services)
    async with services.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM applications"))).all()
    assert made.token.split(".")[3] not in repr(rows)
    assert [row.township_id for row in rows] == [township]


async def test_no_other_text_opens_anything(services: Services, townships: tuple[str, str]) -> None:
    both = await _add(services, townships=townships)
    one = await _add(services)
    prefix, application, named, secret = both.token.split(".")
    last = "A" if secret[-1] != "A" else "E"
    for forged in (
        "",
        "rbt",
        f"rbt.{application}.{named}.",
        f"rbt.{application}.{named}.{secret[:-1]}{last}",
        f"rbt.{application}.{named}.{secret}.",
        f"rbt.{application}.{TOWNSHIP}.{secret}",
        f"rbt.{application}.{OTHER}+{TOWNSHIP}.{secret}",
        f"rbt.{one.application.id}.{named}.{secret}",
        f"rbt.{SOME_ID}.{named}.{secret}",
        f"rbt.{application}.321283999.{secret}",
        f"{prefix.upper()}.{application}.{named}.{secret}",
        f" {both.token}",
        both.token + "\n",
        both.token.replace("rbt", "ｒｂｔ"),
        "rbt." + application + "." + "+".join(str(n) for n in range(100_000_000, 100_000_200)) + "." + secret,
        "x" * 100_000,
        "\0",
        "rbt.\ud800.1.2",
    ):
        assert await authenticate(services.engine, forged, services.clock()) is None, forged


async def test_a_token_needs_its_row_in_every_township(
    services: Services, townships: tuple[str, str]
) -> None:
    made = await _add(services, townships=townships)
    async with services.engine.begin() as connection:
        await connection.execute(text("DELETE FROM applications WHERE township_id = :t"), {"t": OTHER})
    assert await authenticate(services.engine, made.token, services.clock()) is None


async def test_a_revoked_token_opens_nothing(services: Services, townships: tuple[str, str]) -> None:
    made, kept = await _add(services, townships=townships), await _add(services)
    first = await service.revoke(services.engine, made.application.id, now_ms=services.clock())
    again = await service.revoke(services.engine, made.application.id, now_ms=services.clock() + 9)
    assert first.revoked_ms == again.revoked_ms == services.clock()
    assert await authenticate(services.engine, made.token, services.clock()) is None
    assert await authenticate(services.engine, kept.token, services.clock()) is not None
    listed = {one.id: one for one in await service.listed(services.engine)}
    assert listed[made.application.id] == first
    assert listed[kept.application.id].revoked_ms is None
    with pytest.raises(RefusedError, match="There is no application"):
        await service.revoke(services.engine, SOME_ID, now_ms=0)


@pytest.mark.parametrize(
    ("name", "scopes", "where", "says"),
    [
        ("", ["review"], [TOWNSHIP], "1 to 50 characters"),
        ("x" * 51, ["review"], [TOWNSHIP], "1 to 50 characters"),
        ("a\x1bb", ["review"], [TOWNSHIP], "1 to 50 characters"),
        ("热线", [], [TOWNSHIP], "No scope was named"),
        ("热线", ["review", "admin"], [TOWNSHIP], "There is no scope 'admin': write --scope"),
        ("热线", ["review"], [], "1 to 100 townships, not 0"),
        ("热线", ["review"], ["321283101"], "321283101 is not open here"),
        ("热线", ["review"], [TOWNSHIP, "元竹镇"], "9 digits"),
    ],
)
async def test_what_cannot_be_made_leaves_nothing(
    services: Services, township: str, name: str, scopes: list[str], where: list[str], says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        await service.add(
            services.engine, name, scopes, where, now_ms=services.clock(), random=services.random
        )
    assert township == TOWNSHIP
    assert await service.listed(services.engine) == []


def test_scopes_are_those_of_the_contract() -> None:
    assert list(SCOPES) == [
        "records:read",
        "records:write",
        "contact:read",
        "contact:write",
        "review",
        "figures:read",
        "rescue",
    ]


@given(st.text())
def test_whatever_comes_is_a_token_or_none(content: str) -> None:
    for candidate in (content, f"rbt.{SOME_ID}.{content}.x", f"rbt.{SOME_ID}.{TOWNSHIP}.{content}"):
        found = tokens.read(candidate)
        assert found is None or found.application == SOME_ID


async def test_a_token_opens_nothing_after_its_days(services: Services, township: str) -> None:
    made = await service.add(
        services.engine,
        "短期",
        ["review"],
        [township],
        now_ms=services.clock(),
        random=services.random,
        days=30,
    )
    end_ms = services.clock() + 30 * 86_400_000
    assert made.application.expires_ms == end_ms
    assert await authenticate(services.engine, made.token, end_ms - 1) is not None
    assert await authenticate(services.engine, made.token, end_ms) is None
