"""People: added one by one or from a list, disabled, found by name or id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.refused import RefusedError
from server.services import Services
from server.staff import reading, service
from server.staff.roles import TITLES, role_of
from server.staff.service import Candidate
from server.storage.staff import StaffRow
from sync_protocol.ids import is_id
from sync_protocol.kinds.declaration import ROLES
from tests.server.conftest import TOWNSHIP


async def _add(
    services: Services, name: str, role: str = "grid_worker", township: str = TOWNSHIP
) -> StaffRow:
    candidate = Candidate(name, role, township)
    return await service.add(services.engine, candidate, now_ms=services.clock(), random=services.random)


def test_a_person_may_have_every_role_but_that_of_an_application() -> None:
    assert set(TITLES) == set(ROLES) - {"application"}
    assert role_of("application") is None
    assert role_of("网格员") == "grid_worker"


async def test_a_name_is_unique_in_its_township(services: Services, worker: StaffRow) -> None:
    assert is_id(worker.staff_id)
    for name in ("王芳", "  王芳 ", "王芳\n"):
        with pytest.raises(RefusedError, match="is the name of somebody in 321283104 already"):
            await _add(services, name, "clerk")
    await service.set_enabled(services.engine, "王芳", None, enabled=False, now_ms=services.clock())
    with pytest.raises(RefusedError, match="staff enable"):
        await _add(services, "王芳")
    assert [row.name for row in await service.listed(services.engine)] == ["王芳"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "The name is empty"),
        (" \t ", "The name is empty"),
        ("王" * 51, "takes 50 characters, got 51"),
        ("王\x00芳", "no control characters"),
        ("01890a5d-ac96-774b-bcce-b302099a8057", "not an id"),
    ],
)
async def test_a_name_is_a_name(services: Services, township: str, name: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        await _add(services, name, township=township)


async def test_role_and_township_have_to_be_there(services: Services, township: str) -> None:
    with pytest.raises(RefusedError, match="There is no role 'boss': write one of grid_worker"):
        await _add(services, "王芳", "boss")
    with pytest.raises(RefusedError, match="Township 321283101 is not open here"):
        await _add(services, "王芳", township="321283101")
    with pytest.raises(RefusedError, match="9 digits"):
        await _add(services, "王芳", township="元竹镇")
    assert await service.listed(services.engine, township) == []


async def test_people_are_disabled_and_let_in_again(services: Services, worker: StaffRow) -> None:
    engine, now = services.engine, services.clock()
    off = await service.set_enabled(engine, worker.staff_id, None, enabled=False, now_ms=now)
    again = await service.set_enabled(engine, "王芳", TOWNSHIP, enabled=False, now_ms=now + 5)
    assert off.disabled_ms == again.disabled_ms == now
    on = await service.set_enabled(engine, "王芳", None, enabled=True, now_ms=now)
    assert on == worker
    assert await service.listed(engine, TOWNSHIP) == [worker]
    with pytest.raises(RefusedError, match="Nobody is called '李四'"):
        await service.set_enabled(engine, "李四", None, enabled=False, now_ms=now)
    with pytest.raises(RefusedError, match="Nobody is called '王芳'"):
        await service.set_enabled(engine, "王芳", "321283101", enabled=False, now_ms=now)


def test_one_name_in_two_townships_has_to_be_told_apart() -> None:
    rows = [StaffRow(town, "x", "王芳", "clerk", 0, None) for town in ("321283104", "321283105")]
    with pytest.raises(RefusedError, match="2 people, in 321283104, 321283105: add --township"):
        service.one(rows, "王芳")


async def test_a_list_is_added_row_by_row(services: Services, worker: StaffRow) -> None:
    text = "role,name,township,phone\n网格员,张三,,1\nclerk,李四,321283104,\n,赵六,,\ngrid_worker,王芳,,\nclerk\n\n"
    people, left_out = reading.read(text, TOWNSHIP)
    added, refused = await service.add_all(
        services.engine, people, now_ms=services.clock(), random=services.random
    )
    assert [(row.name, row.role) for row in added] == [("张三", "grid_worker"), ("李四", "clerk")]
    assert [line.line for line in refused] == [4, 5]
    assert [(line.line, line.reason) for line in left_out] == [(6, "4 cells expected, got 1")]
    assert len(await service.listed(services.engine)) == 3
    assert worker.name == "王芳"


@pytest.mark.parametrize(
    ("text", "township", "says"),
    [
        ("name,role\n", None, "township missing"),
        ("姓名,角色\n", TOWNSHIP, "name, role missing, got 姓名, 角色"),
        ("", TOWNSHIP, "got nothing"),
        ('name,role\n"张三', TOWNSHIP, "Line 2 cannot be read"),
    ],
)
def test_a_list_without_its_columns_is_refused(text: str, township: str | None, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        reading.read(text, township)


def test_a_list_of_people_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS_MAX", 1)
    with pytest.raises(RefusedError, match="at most 1 rows"):
        reading.read("name,role\na,clerk\nb,clerk\n", TOWNSHIP)


@given(st.text())
def test_whatever_comes_is_read_or_refused(content: str) -> None:
    for text in (content, "name,role\n" + content):
        try:
            people, left_out = reading.read(text, TOWNSHIP)
        except RefusedError:
            continue
        assert all(one.line > 1 for one in people)
        assert all(one.line > 1 for one in left_out)
