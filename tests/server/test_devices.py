"""One-time codes and enrolment: guessing, expiry, double use, an answer that was lost."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.devices import service
from server.devices.codes import ALPHABET, code_hash, new_code
from server.devices.profile import profile
from server.devices.service import CodeInvalid, enrol, give_code
from server.failures import Failures
from server.kinds.service import install
from server.refused import RefusedError
from server.services import Services
from server.staff.service import Candidate, add, set_enabled
from server.storage import contact
from server.storage.engine import snapshot
from server.storage.staff import StaffRow
from sync_protocol import signing
from sync_protocol.kinds import from_json
from sync_protocol.messages import EnrolAnswer, EnrolRequest
from sync_protocol.versions import CURRENT
from tests.server.conftest import CODE_LIFETIME_MS, GRID, TOWNSHIP, Clock

KEY = signing.encode_bytes(bytes(range(32)))
OTHER_KEY = signing.encode_bytes(bytes(range(1, 33)))
SECOND_GRID = "321283104203002"


def _request(code: str, key: str = KEY, client: str = "test/1") -> EnrolRequest:
    return EnrolRequest(CURRENT, code, key, client)


# --- codes -------------------------------------------------------------------------------------------


@given(st.binary(min_size=5, max_size=5))
def test_a_code_has_forty_bits_in_eight_plain_characters(bits: bytes) -> None:
    code = new_code(lambda n: bits[:n])
    assert len(code) == 9
    assert code[4] == "-"
    assert set(code) <= {*ALPHABET, "-"}
    assert not set(code) & set("01IO")
    number = 0
    for character in code.replace("-", ""):
        number = number * 32 + ALPHABET.index(character)
    assert number.to_bytes(5, "big") == bits


@pytest.mark.parametrize(
    "typed", ["abcd-efgh", " ABCD EFGH ", "ABCDEFGH", "ＡＢＣＤ－ＥＦＧＨ", "ABCD—EFGH", "abcdefgh\n"]
)
def test_a_code_is_recognised_however_it_is_typed(typed: str) -> None:
    assert code_hash(typed) == code_hash("ABCD-EFGH")


def test_letters_that_no_code_has_are_read_as_what_they_look_like() -> None:
    assert code_hash("1BCD-EFGI") == code_hash("LBCD-EFGL")


@pytest.mark.parametrize(
    "typed", ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFG0", "村村村村村村村村", "A" * 10_000, "\0" * 8]
)
def test_what_cannot_be_a_code_has_no_hash(typed: str) -> None:
    assert code_hash(typed) is None


@given(st.text())
def test_whatever_is_typed_has_a_hash_or_none(typed: str) -> None:
    found = code_hash(typed)
    assert found is None or len(found) == 64


# --- giving ------------------------------------------------------------------------------------------


async def test_the_database_holds_no_code(services: Services, give: Callable[..., Any]) -> None:
    made = await give()
    async with services.engine.connect() as connection:
        routes = (await connection.execute(text("SELECT * FROM enrolment_routes"))).all()
        codes = (await connection.execute(text("SELECT * FROM enrolments"))).all()
    assert made.code not in repr([routes, codes])
    assert made.code.replace("-", "") not in repr([routes, codes])
    assert [row.township_id for row in routes] == [TOWNSHIP]
    assert made.expires_ms == services.clock() + CODE_LIFETIME_MS


@pytest.mark.parametrize(
    ("grids", "says"),
    [
        ((), "1 to 100 grids, not 0"),
        (("321283104203",), "15 digits"),
        ((GRID, "321283105203001"), "one township"),
        (("321283104203009",), "has no grid 321283104203009"),
        (("321283105203001",), "321283105 is not open here"),
        ((GRID,) * 101, "not 101"),
    ],
)
async def test_grids_have_to_be_there(
    services: Services, worker: StaffRow, grids: tuple[str, ...], says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        await give_code(
            services.engine,
            worker.name,
            grids,
            lifetime_ms=1,
            now_ms=services.clock(),
            random=services.random,
        )


async def test_devices_are_for_grid_workers_who_work(
    services: Services, worker: StaffRow, give: Callable[..., Any]
) -> None:
    await add(
        services.engine,
        Candidate("李强", "clerk", TOWNSHIP),
        now_ms=services.clock(),
        random=services.random,
    )
    with pytest.raises(RefusedError, match="李强 is clerk"):
        await give(who="李强")
    with pytest.raises(RefusedError, match="Nobody is called '张三'"):
        await give(who="张三")
    await set_enabled(services.engine, worker.staff_id, None, enabled=False, now_ms=services.clock())
    with pytest.raises(RefusedError, match="王芳 is disabled"):
        await give(who=worker.staff_id)


async def test_old_codes_are_swept_out(services: Services, clock: Clock, give: Callable[..., Any]) -> None:
    await give()
    used = await give()
    await enrol(services, _request(used.code))
    clock.now_ms += 2 * 86_400_000
    await give()
    async with services.engine.connect() as connection:
        routes = (await connection.execute(text("SELECT count(*) FROM enrolment_routes"))).scalar_one()
        codes = (await connection.execute(text("SELECT count(*) FROM enrolments"))).scalar_one()
    # The used one stays in the township, as what the device came from.
    assert (routes, codes) == (1, 2)


# --- enrolling ---------------------------------------------------------------------------------------


async def test_a_code_makes_a_device_and_binds_its_key(
    services: Services, worker: StaffRow, give: Callable[..., Any]
) -> None:
    made = await give(GRID, SECOND_GRID)
    answer = await enrol(services, _request(made.code))
    own = answer.profile
    assert answer.protocol == CURRENT
    assert answer.now == services.clock()
    assert answer.server.endswith(":1")
    assert (own.township, own.township_name) == (TOWNSHIP, "元竹镇")
    assert (own.worker.id, own.worker.name, own.worker.role) == (worker.staff_id, "王芳", "grid_worker")
    assert [(grid.code, grid.name, grid.village) for grid in own.grids] == [
        (GRID, "潘元村 001网格", "潘元村"),
        (SECOND_GRID, "潘元村 002网格", "潘元村"),
    ]
    assert {from_json(bytes(kind)).name for kind in own.kinds} >= {"matter", "visit"}
    key = await snapshot(services.engine, lambda c: contact.public_key(c, TOWNSHIP, own.device))
    assert key == signing.decode_bytes(KEY)
    (listed,) = await service.listed(services.engine)
    assert (listed.device_id, listed.worker, listed.client) == (own.device, "王芳", "test/1")


async def test_what_was_enrolled_can_be_read_by_a_sync(services: Services, give: Callable[..., Any]) -> None:
    answer = await enrol(services, _request((await give()).code))
    found = await snapshot(services.engine, lambda c: contact.read(c, TOWNSHIP, answer.profile.device))
    assert found is not None
    assert (found.grids, found.revoked, found.serial, found.epochs) == ((GRID,), False, 0, {})


async def test_an_answer_that_was_lost_is_given_again(
    services: Services, clock: Clock, give: Callable[..., Any]
) -> None:
    made = await give()
    first = await enrol(services, _request(made.code))
    clock.now_ms += CODE_LIFETIME_MS - 1
    again = await enrol(services, _request(made.code.lower()))
    assert again.profile == first.profile
    assert len(await service.listed(services.engine)) == 1


async def test_a_code_serves_one_key_only(services: Services, give: Callable[..., Any]) -> None:
    made = await give()
    await enrol(services, _request(made.code))
    with pytest.raises(CodeInvalid):
        await enrol(services, _request(made.code, OTHER_KEY))
    assert len(await service.listed(services.engine)) == 1


@pytest.mark.parametrize("late_ms", [0, 1, 86_400_000])
async def test_a_code_ends_by_the_servers_clock(
    services: Services, clock: Clock, give: Callable[..., Any], late_ms: int
) -> None:
    made = await give()
    clock.now_ms += CODE_LIFETIME_MS + late_ms
    with pytest.raises(CodeInvalid):
        await enrol(services, _request(made.code))
    assert await service.listed(services.engine) == []


async def test_an_expired_code_gives_its_device_no_second_time(
    services: Services, clock: Clock, give: Callable[..., Any]
) -> None:
    made = await give()
    await enrol(services, _request(made.code))
    clock.now_ms += CODE_LIFETIME_MS
    with pytest.raises(CodeInvalid):
        await enrol(services, _request(made.code))


async def test_codes_of_the_disabled_and_of_revoked_devices_are_invalid(
    services: Services, worker: StaffRow, give: Callable[..., Any]
) -> None:
    used, fresh = await give(), await give()
    device = (await enrol(services, _request(used.code))).profile.device
    await service.revoke(services.engine, device, now_ms=services.clock())
    with pytest.raises(CodeInvalid):
        await enrol(services, _request(used.code))
    await set_enabled(services.engine, worker.name, TOWNSHIP, enabled=False, now_ms=services.clock())
    with pytest.raises(CodeInvalid):
        await enrol(services, _request(fresh.code))


async def test_two_devices_that_show_one_code_at_once_are_told_apart(
    services: Services, give: Callable[..., Any]
) -> None:
    import asyncio

    made = await give()
    keys = [signing.encode_bytes(bytes([n]) * 32) for n in range(4)]
    results = await asyncio.gather(
        *(enrol(services, _request(made.code, key)) for key in keys), return_exceptions=True
    )
    assert sum(isinstance(result, EnrolAnswer) for result in results) == 1
    assert sum(isinstance(result, CodeInvalid) for result in results) == 3
    assert len(await service.listed(services.engine)) == 1


# --- the profile ---------------------------------------------------------------------------------------


async def _tag(services: Services, device: str) -> str:
    found = await snapshot(services.engine, lambda c: profile(c, TOWNSHIP, device, services.registry))
    return found.tag


async def test_the_tag_is_another_one_when_anything_in_the_profile_is(
    services: Services, clock: Clock, give: Callable[..., Any]
) -> None:
    device = (await enrol(services, _request((await give()).code))).profile.device
    tags = [await _tag(services, device)]
    assert await _tag(services, device) == tags[0]
    await service.set_grids(services.engine, device, [SECOND_GRID], now_ms=services.clock())
    tags.append(await _tag(services, device))
    async with services.engine.begin() as connection:
        await connection.execute(text("UPDATE townships SET duty_phone = '0523-87650000'"))
    tags.append(await _tag(services, device))
    async with services.engine.begin() as connection:
        await connection.execute(text("UPDATE staff SET name = '王小芳'"))
    tags.append(await _tag(services, device))
    await install(services.engine, WELL, "well.toml", clock())
    await services.registry.refresh()
    tags.append(await _tag(services, device))
    assert len(set(tags)) == len(tags)


async def test_there_is_no_profile_of_a_device_that_is_not(services: Services, township: str) -> None:
    with pytest.raises(LookupError):
        await _tag(services, "01890a5d-ac96-774b-bcce-b302099a8057")
    assert township == TOWNSHIP


WELL = """
[kind]
name = "well_check"
version = 1
title = { zh = "水井检查", en = "Well check" }

[fields.depth]
type = "number"
merge = "latest"
privacy = "plain"
title = { zh = "水深", en = "Depth" }
"""

# --- what an administrator does later ------------------------------------------------------------------


async def test_a_device_is_revoked_once_and_for_ever(
    services: Services, clock: Clock, give: Callable[..., Any]
) -> None:
    device = (await enrol(services, _request((await give()).code))).profile.device
    first = await service.revoke(services.engine, f"{TOWNSHIP}.{device}", now_ms=clock())
    clock.now_ms += 5_000
    again = await service.revoke(services.engine, device.upper(), now_ms=clock())
    assert first.revoked_ms == again.revoked_ms
    assert (await service.listed(services.engine, TOWNSHIP))[0].revoked_ms == first.revoked_ms
    with pytest.raises(RefusedError, match="revoked, for ever"):
        await service.set_grids(services.engine, device, [SECOND_GRID], now_ms=services.clock())


async def test_a_device_gets_other_grids_of_its_township(
    services: Services, give: Callable[..., Any]
) -> None:
    device = (await enrol(services, _request((await give()).code))).profile.device
    changed = await service.set_grids(
        services.engine, device, [SECOND_GRID, SECOND_GRID], now_ms=services.clock()
    )
    assert changed.grids == (SECOND_GRID,)
    for grids, says in ((["321283104203009"], "no grid"), (["321283105203001"], "belongs to"), ([], "not 0")):
        with pytest.raises(RefusedError, match=says):
            await service.set_grids(services.engine, device, grids, now_ms=services.clock())
    assert (await service.listed(services.engine))[0].grids == (SECOND_GRID,)


@pytest.mark.parametrize("device", ["", "x", "01890a5d-ac96-774b-bcce-b302099a8057", "'; DROP TABLE devices"])
async def test_a_device_that_is_not_there_is_said_to_be_so(engine: AsyncEngine, device: str) -> None:
    with pytest.raises(RefusedError, match="There is no device"):
        await service.revoke(engine, device, now_ms=0)


# --- bounds ---------------------------------------------------------------------------------------------


def test_failures_are_forgotten_and_do_not_pile_up() -> None:
    failures = Failures(per_address=2, total=100)
    for n in range(20_000):
        failures.add(f"2001:db8::{n:x}", now_ms=n * 1_000)
    assert len(failures._by_address) <= 10_000
    assert not failures.too_many("2001:db8::1", 20_000_000)
    for _ in range(2):
        failures.add("me", 30_000_000)
    assert failures.too_many("me", 30_000_000 + 59_999)
    assert not failures.too_many("you", 30_000_000)
    assert not failures.too_many("me", 30_000_000 + 60_000)
