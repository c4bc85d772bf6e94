"""A township lays its own rules over those that ship. Its file is the whole of what it says: another replaces it."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor, Value
from server.audit.log import append
from server.deadlines.force import Force, in_force
from server.deadlines.shipped import shipped_rules
from server.reckoning.reading import parse
from server.reckoning.rules import RuleSet
from server.refused import RefusedError
from server.storage import deadline_passes, townships
from server.storage.deadline_passes import Installed
from server.storage.directory import opened
from server.storage.engine import snapshot, transact
from sync_protocol.kinds import Kind

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class InstalledRules(msgspec.Struct, frozen=True):
    """What a township's own rules are now, and whether this very call made them so."""

    township: str
    revision: int
    new: bool


def check(toml_text: str, origin: str, kinds: Mapping[str, Kind]) -> RuleSet:
    """The rules of a township's file. Raises KindError with every finding."""
    return parse(toml_text, origin, kinds, shipped_rules())


async def working(engine: AsyncEngine, named: str | None) -> list[str]:
    """The townships that a command means: the one that it names, else all that are open; raises RefusedError."""
    codes = [one.township for one in await snapshot(engine, opened)]
    if named is None:
        return codes
    if named not in codes:
        message = f"No township {named} works here: `roundbook township open {named}` opens it."
        raise RefusedError(message)
    return [named]


async def install(
    engine: AsyncEngine, township: str, rules: RuleSet, now_ms: int, *, by: Actor = OPERATOR
) -> InstalledRules:
    """Puts a township's own rules into force; the next pass applies them. The same again changes nothing."""
    body = _encode(rules)

    async def work(connection: AsyncConnection) -> InstalledRules:
        await townships.lock(connection, township)
        await deadline_passes.lock(connection, township)
        before = await deadline_passes.own_rules(connection, township)
        if before is not None and before.body == body:
            return InstalledRules(township, before.revision, new=False)
        revision = before.revision + 1 if before is not None else 1
        await deadline_passes.install_rules(connection, township, Installed(revision, body, str(by), now_ms))
        told: dict[str, Value] = {"revision": revision, "rules": sorted(rules.rules)}
        told |= {"without": sorted(rules.without), "years": sorted(rules.years)}
        await append(connection, Act(township, "deadline_rules_installed", by, now_ms, told))
        return InstalledRules(township, revision, new=True)

    return await transact(engine, work)


async def listed(engine: AsyncEngine, codes: Sequence[str]) -> dict[str, Force]:
    """What is in force in each of these townships."""

    async def read(connection: AsyncConnection) -> dict[str, Force]:
        return {code: await in_force(connection, code) for code in codes}

    return await snapshot(engine, read)
