"""Installs kinds: the shipped ones by itself, others from TOML. What is installed never changes."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act, Actor
from server.audit.chain import INSTALLATION
from server.audit.log import append
from server.refused import RefusedError
from server.storage import kinds
from server.storage.engine import snapshot, transact
from server.storage.kinds import Installed
from sync_protocol.kinds import Finding, Kind, KindError, compare, from_json, parse, shipped, to_json


class InstalledKind(msgspec.Struct, frozen=True):
    """One version of a kind, and whether it was installed by this very call."""

    kind: Kind
    installed_ms: int
    new: bool = False


async def installed(engine: AsyncEngine) -> list[InstalledKind]:
    """Every version of every kind, by name and version."""
    return await snapshot(engine, _all)


async def install_shipped(engine: AsyncEngine, now_ms: int) -> list[Kind]:
    """Installs the versions that ship and are missing; returns them."""

    async def work(connection: AsyncConnection) -> list[Kind]:
        await kinds.lock(connection)
        there = await kinds.keys(connection)
        missing = [kind for kind in shipped().values() if kind.key not in there]
        for kind in missing:
            await _add(connection, kind, OPERATOR, now_ms)
        return missing

    return await transact(engine, work)


def checked(toml_text: str, origin: str) -> Kind:
    """The kind that `toml_text` declares, by itself. Raises KindError with every finding."""
    return parse(toml_text, origin)


async def check(engine: AsyncEngine, toml_text: str, origin: str) -> Kind:
    """The kind that `toml_text` declares, when it may be installed beside what is there.

    Raises KindError with every finding.
    """
    kind = parse(toml_text, origin)
    there = await installed(engine)
    _compare(kind, [one.kind for one in there if one.kind.name == kind.name], origin)
    return kind


async def install(
    engine: AsyncEngine, toml_text: str, origin: str, now_ms: int, *, by: Actor = OPERATOR
) -> InstalledKind:
    """Installs the kind that `toml_text` declares; one that is installed already is left as it is.

    Raises KindError with every finding, also for what the new version must not change of the others.
    """
    kind = parse(toml_text, origin)

    async def work(connection: AsyncConnection) -> InstalledKind:
        await kinds.lock(connection)
        there = [one for one in await _all(connection) if one.kind.name == kind.name]
        _compare(kind, [one.kind for one in there], origin)
        same = next((one for one in there if one.kind.version == kind.version), None)
        if same is not None:
            return same
        await _add(connection, kind, by, now_ms)
        return InstalledKind(kind, now_ms, new=True)

    return await transact(engine, work)


async def _add(connection: AsyncConnection, kind: Kind, by: Actor, now_ms: int) -> None:
    await kinds.add(connection, Installed(*kind.key, to_json(kind), now_ms))
    name, version = kind.key
    act = Act(INSTALLATION, "kind_installed", by, now_ms, {"kind": name, "version": version})
    await append(connection, act)


def _compare(kind: Kind, others: list[Kind], origin: str) -> None:
    """Holds a kind against the versions next to it, below and above, and against itself."""
    for other in others:
        if other.version == kind.version and other != kind:
            latest = max(one.version for one in others)
            message = (
                f"{origin}: version {kind.version} of {kind.name} is installed with another content; "
                f"a version never changes, so write version = {latest + 1}."
            )
            raise RefusedError(message)
    below = max((o for o in others if o.version < kind.version), key=lambda o: o.version, default=None)
    above = min((o for o in others if o.version > kind.version), key=lambda o: o.version, default=None)
    findings: list[Finding] = []
    if below is not None:
        findings += compare(below, kind, origin)
    if above is not None:
        findings += compare(kind, above, origin)
    if findings:
        raise KindError(tuple(findings))


async def _all(connection: AsyncConnection) -> list[InstalledKind]:
    rows = await kinds.read(connection, await kinds.keys(connection))
    return [InstalledKind(from_json(row.declaration), row.installed_ms) for row in rows]
