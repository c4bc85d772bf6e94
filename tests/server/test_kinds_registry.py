"""Kinds as installed: shipped ones by themselves, others from TOML, never changed; and a server's view of them."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.kinds.registry import RETRY_MS, STALE_MS, Registry
from server.kinds.service import check, checked, install, install_shipped, installed
from server.refused import RefusedError
from sync_protocol.kinds import KindError, shipped
from tests.server.conftest import Clock

WELL = """
[kind]
name = "well_check"
version = {version}
title = {{ zh = "水井检查", en = "Well check" }}

[fields.depth]
type = "number"
merge = "{rule}"
privacy = "plain"
title = {{ zh = "水深", en = "Depth" }}
{more}
"""
CLEAN = """
[fields.clean]
type = "boolean"
merge = "latest"
privacy = "plain"
title = { zh = "干净", en = "Clean" }
"""


def _well(version: int = 1, rule: str = "latest", more: str = "") -> str:
    return WELL.format(version=version, rule=rule, more=more)


async def _versions(engine: AsyncEngine) -> list[tuple[str, int]]:
    return [one.kind.key for one in await installed(engine)]


# --- installing ----------------------------------------------------------------------------------------


async def test_the_shipped_kinds_are_installed_once(engine: AsyncEngine) -> None:
    first = await install_shipped(engine, 5)
    assert {kind.name for kind in first} == set(shipped())
    assert await install_shipped(engine, 9) == []
    found = await installed(engine)
    assert [one.kind for one in found] == [shipped()[name] for name in sorted(shipped())]
    assert {one.installed_ms for one in found} == {5}


async def test_servers_that_start_at_once_install_each_kind_once(engine: AsyncEngine) -> None:
    done = await asyncio.gather(*(install_shipped(engine, n) for n in range(4)))
    assert sorted(len(kinds) for kinds in done) == [0, 0, 0, len(shipped())]


async def test_a_kind_is_installed_and_stays(engine: AsyncEngine) -> None:
    first = await install(engine, _well(), "well.toml", 1)
    assert (first.new, first.kind.key) == (True, ("well_check", 1))
    again = await install(engine, _well(), "well.toml", 2)
    assert (again.new, again.installed_ms) == (False, 1)
    second = await install(engine, _well(2, more=CLEAN), "well2.toml", 3)
    assert second.new
    assert await _versions(engine) == [("well_check", 1), ("well_check", 2)]


async def test_a_version_never_changes(engine: AsyncEngine) -> None:
    await install(engine, _well(), "well.toml", 1)
    await install(engine, _well(2, more=CLEAN), "well.toml", 2)
    with pytest.raises(RefusedError, match=r"write version = 3"):
        await install(engine, _well(more=CLEAN), "well.toml", 3)


async def test_a_new_version_must_not_change_what_is_there(engine: AsyncEngine) -> None:
    await install(engine, _well(), "well.toml", 1)
    with pytest.raises(KindError) as caught:
        await install(engine, _well(2, rule="review"), "well.toml", 2)
    assert [finding.key for finding in caught.value.findings] == ["fields.depth.merge"]
    with pytest.raises(KindError):
        await check(engine, _well(2, rule="review"), "well.toml")
    assert await _versions(engine) == [("well_check", 1)]


async def test_a_missing_version_between_two_is_held_against_both(engine: AsyncEngine) -> None:
    await install(engine, _well(1), "well.toml", 1)
    await install(engine, _well(3), "well.toml", 1)
    with pytest.raises(KindError, match="the field is gone"):
        # Version 3 does not have the field, so version 2 cannot have had it.
        await install(engine, _well(2, more=CLEAN), "well.toml", 2)
    assert (await install(engine, _well(2), "well.toml", 2)).new


async def test_a_faulty_kind_is_not_installed(engine: AsyncEngine) -> None:
    for text_of_a_file in ("", "[kind", _well(0), _well(rule="newest"), "\0", _well() + _well()):
        with pytest.raises(KindError):
            await install(engine, text_of_a_file, "well.toml", 1)
        with pytest.raises(KindError):
            checked(text_of_a_file, "well.toml")
    assert await _versions(engine) == []


async def test_checking_installs_nothing(engine: AsyncEngine) -> None:
    assert (await check(engine, _well(), "well.toml")).key == ("well_check", 1)
    assert checked(_well(), "well.toml").key == ("well_check", 1)
    assert await _versions(engine) == []


# --- the registry --------------------------------------------------------------------------------------


@pytest.fixture
def looks(engine: AsyncEngine) -> Iterator[list[str]]:
    """Every statement over the kinds that a database was asked."""
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM kinds" in statement:
            asked.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine.sync_engine, "before_cursor_execute", note)


async def test_the_registry_knows_all_versions_and_offers_the_newest(
    engine: AsyncEngine, clock: Clock
) -> None:
    registry = Registry(engine, clock)
    assert registry.current() == ()
    for version in (2, 1, 10):
        await install(engine, _well(version), "well.toml", 1)
    await registry.refresh()
    assert [registry.get("well_check", n) is not None for n in (1, 2, 3, 10)] == [True, True, False, True]
    latest = registry.latest("well_check")
    assert latest is not None
    assert latest.version == 10
    assert registry.current() == (latest,)
    assert registry.known("well_check")
    assert not registry.known("matter")
    assert registry.shape("well_check", 1) is not None
    assert registry.shape("well_check", 3) is None


async def test_declarations_are_one_copy_until_a_kind_is_added(engine: AsyncEngine) -> None:
    """A process remembers the profiles of thousands of devices: each with a copy of its own took 20 KiB."""
    await install_shipped(engine, 1)
    registry = Registry(engine, Clock())
    await registry.refresh()
    before = registry.declarations()
    assert registry.declarations() is before
    await install(engine, _well(), "well.toml", 2)
    await registry.refresh()
    assert registry.declarations() is registry.declarations()
    assert len(registry.declarations()) == len(before) + 1


async def test_a_kind_that_another_process_installs_is_found_when_it_is_asked_for(
    engine: AsyncEngine, clock: Clock
) -> None:
    registry = Registry(engine, clock)
    await registry.refresh()
    generation = registry.generation
    await install(engine, _well(), "well.toml", 1)
    await registry.ensure({("well_check", 1)})
    assert not registry.known("well_check"), "not more often than every RETRY_MS"
    clock.now_ms += RETRY_MS
    await registry.ensure({("well_check", 1)})
    assert registry.known("well_check")
    assert registry.generation != generation


async def test_asking_for_kinds_that_do_not_exist_costs_one_look_in_a_while(
    engine: AsyncEngine, clock: Clock, looks: list[str]
) -> None:
    registry = Registry(engine, clock)
    await registry.refresh()
    looks.clear()
    clock.now_ms += RETRY_MS
    wanted = {(f"kind_{n}", 1) for n in range(100)}
    await asyncio.gather(*(registry.ensure(wanted) for _ in range(20)))
    assert len(looks) == 1
    await registry.ensure(wanted)
    assert len(looks) == 1


async def test_a_new_version_is_offered_after_a_while_without_being_asked_for(
    engine: AsyncEngine, clock: Clock, looks: list[str]
) -> None:
    await install(engine, _well(1), "well.toml", 1)
    registry = Registry(engine, clock)
    await registry.refresh()
    await install(engine, _well(2), "well.toml", 1)
    looks.clear()
    clock.now_ms += STALE_MS - 1
    await registry.ensure({("well_check", 1)})
    assert looks == []
    clock.now_ms += 1
    await registry.ensure({("well_check", 1)})
    latest = registry.latest("well_check")
    assert latest is not None
    assert latest.version == 2


async def test_a_clock_that_was_set_back_does_not_blind_the_registry(
    engine: AsyncEngine, clock: Clock
) -> None:
    registry = Registry(engine, clock)
    await registry.refresh()
    await install(engine, _well(), "well.toml", 1)
    clock.now_ms -= 86_400_000
    await registry.ensure({("well_check", 1)})
    assert registry.known("well_check")


async def test_the_generation_depends_on_the_kinds_alone(engine: AsyncEngine, clock: Clock) -> None:
    await install_shipped(engine, 1)
    one, other = Registry(engine, clock), Registry(engine, clock)
    await one.refresh()
    await install(engine, _well(), "well.toml", 1)
    await one.refresh()
    await other.refresh()
    assert one.generation == other.generation
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE kinds SET installed_ms = 99"))
    again = Registry(engine, clock)
    await again.refresh()
    assert again.generation == one.generation
