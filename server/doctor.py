"""Looks at everything that a server needs, and says of each whether it is well and what to do."""

import contextlib
import shutil
import sqlite3
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.deadlines.force import in_force
from server.files import require_database
from server.health.service import Readiness, readiness
from server.reckoning.spans import year_of
from server.refused import RefusedError
from server.settings import Settings, shown_database
from server.slips import fonts
from server.soundness import findings
from server.storage import audit, directory, keys, kinds
from server.storage.engine import is_sqlite, snapshot
from server.vault.keeping import vault_of
from server.vault.service import require_fitting
from server.vault.township import Altered
from sync_protocol.kinds import shipped

State = Literal["well", "note", "bad"]
DISK_BAD_BYTES: Final = 200 * 2**20
DISK_NOTE_BYTES: Final = 2 * 2**30
CLOCK_NOTE_MS: Final = 5_000
_OTHERS: Final = 0o077
_BUSY_S: Final = 15.0
_SOON_MS: Final = 30 * 86_400_000
_MISSING: Final = "roundbook migrate, if it is new; else name the right one with --data or --database"
_TRUNCATED: Final = "stop the server, keep the file, and `roundbook restore` the newest backup"


class Check(msgspec.Struct, frozen=True):
    """One look: `note` is for somebody to know, `bad` keeps the server from its work."""

    name: str
    state: State
    says: str
    do: str = ""


def look_at_disk(settings: Settings) -> list[Check]:
    """What can be said before the database is opened: the settings, the folder, its disk, its rights."""
    checks = [Check("settings", "well", f"data folder {settings.data}, database {shown_database(settings)}")]
    checks.append(_fonts())
    if not settings.embedded:
        return checks
    folder = _nearest(settings.file.parent)
    free = shutil.disk_usage(folder).free
    says = f"{free / 2**30:,.1f} GiB free at {folder}"
    if free < DISK_NOTE_BYTES:
        state: State = "bad" if free < DISK_BAD_BYTES else "note"
        checks.append(Check("disk", state, says, "free some room, or move the data folder"))
    else:
        checks.append(Check("disk", "well", says))
    if settings.file.exists():
        checks.append(_rights(settings.file))
        if checks[-1].state != "bad":
            checks.append(_whole_file(settings.file))
    return checks


def look_for_file(file: Path) -> Check:
    """What it means that the embedded database is not there: nothing, or that it is lost."""
    left = sorted(path.name for path in file.parent.glob(f"{file.name}*")) if file.parent.exists() else []
    if left:
        says = f"{file} is gone, but {', '.join(left)} stand beside it"
        return Check("database", "bad", says, "put the file back, or `roundbook restore` the newest backup")
    return Check(
        "database", "note", f"there is none at {file} yet", "roundbook serve, or any other command, makes one"
    )


async def look_at_database(engine: AsyncEngine, now_ms: int) -> list[Check]:
    """What the database says. Its content is looked at only when the schema fits."""
    found = await readiness(engine)
    checks = [_schema(found)]
    if found.ready:
        checks += await snapshot(engine, _role)
        at = partial(_clock, now_ms=now_ms), partial(_working_days, now_ms=now_ms)
        looks = (_kinds, _work, *at, _keys, _audit)
        checks += [await snapshot(engine, look) for look in looks]
        if all(check.state != "bad" for check in checks if check.name == "keys"):
            checks += await snapshot(engine, _sound)
    return checks


async def _sound(connection: AsyncConnection) -> list[Check]:
    """Whether what the townships say hangs together."""
    try:
        found = await findings(connection)
    except Altered as error:
        return [Check("records", "bad", str(error), _TRUNCATED)]
    if not found:
        return [Check("records", "well", "every record is what its history makes, every sum adds up")]
    return [Check(one.what, "bad", f"{one.township}: {one.says}", one.do) for one in found]


def _fonts() -> Check:
    """Whether papers can be printed."""
    there = fonts.families()
    if not there:
        return Check(
            "fonts", "note", "no Chinese font, so slips and case files cannot be printed", fonts.INSTALL
        )
    return Check("fonts", "well", f"papers are printed in {there[0]}")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))


def _rights(file: Path) -> Check:
    try:
        require_database(file)
    except RefusedError as error:
        what, _, do = str(error).partition(": ")
        return Check("file", "bad", what, do.rstrip("."))
    mode = file.stat().st_mode
    if mode & _OTHERS:
        return Check("file", "note", "other users of this machine may read the records", f"chmod 600 {file}")
    return Check("file", "well", "only its owner may read it")


def _schema(found: Readiness) -> Check:
    if not found.reachable:
        return Check("database", "bad", "does not answer", "see that it runs, and that the URL names it")
    if found.schema == "newer":
        says = "the schema is newer than this version, which works"
        return Check("database", "note", says, "upgrade this server when you can")
    if found.schema == "outdated":
        return Check("database", "bad", "the schema is older than this version", "roundbook migrate")
    if not found.ready:
        return Check("database", "bad", "the schema is missing: it is empty, or of another program", _MISSING)
    return Check("database", "well", "answers, and its schema is current")


def _whole_file(file: Path) -> Check:
    """Every page and every index, with what the journal beside the file holds."""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=_BUSY_S)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error:
        found = None
    if found != ("ok",):
        return Check("content", "bad", "the file is damaged, or cut short", _TRUNCATED)
    return Check("content", "well", "the file is whole")


async def _role(connection: AsyncConnection) -> list[Check]:
    """Whether PostgreSQL ends a bad statement by itself."""
    if is_sqlite(connection):
        return []
    timeout = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
    if timeout == "0":
        says = "the role has no time-outs: one bad statement could hold others up"
        return [Check("role", "note", says, "roundbook migrate, as a role that may alter itself")]
    return [Check("role", "well", f"statements end after {timeout}")]


async def _kinds(connection: AsyncConnection) -> Check:
    there = await kinds.keys(connection)
    missing = sorted(kind.name for kind in shipped().values() if kind.key not in there)
    if missing:
        return Check("kinds", "bad", f"not installed: {', '.join(missing)}", "roundbook migrate")
    return Check("kinds", "well", f"{len({name for name, _ in there})} installed")


async def _work(connection: AsyncConnection) -> Check:
    places = await directory.count_divisions(connection)
    open_ones = await directory.opened(connection)
    if not places:
        return Check("directory", "note", "is empty", "roundbook directory import FILE.csv")
    says = f"{places:,} places, {len(open_ones):,} open {'township' if len(open_ones) == 1 else 'townships'}"
    return Check(
        "directory", *(("well", says) if open_ones else ("note", says, "roundbook township open CODE"))
    )


async def _keys(connection: AsyncConnection) -> Check:
    """Whether the master key is there and fits, and every township has keys of its own."""
    rows = await keys.everywhere(connection)
    try:
        require_fitting(vault_of(connection), sorted({row.wrapped.master_id for row in rows}))
        for row in rows:
            vault_of(connection).unwrap(row)
    except RefusedError as error:
        what, _, do = str(error).partition(": ")
        return Check("keys", "bad", what, do.rstrip("."))
    there = {row.township for row in rows if row.purpose == keys.DATA}
    bare = [one.township for one in await directory.opened(connection) if one.township not in there]
    if bare:
        return Check("keys", "bad", f"{', '.join(bare)} have none", "roundbook keys ensure")
    says = f"master key {vault_of(connection).master.ids[0]}, data keys of {len(there):,} townships"
    return Check("keys", "well", f"{says}; have you a copy of it elsewhere?")


async def _working_days(connection: AsyncConnection, now_ms: int) -> Check:
    """Whether somebody has installed the notice of the year that it is, and soon will be."""
    near = {year_of(now_ms), year_of(now_ms + _SOON_MS)}
    for one in await directory.opened(connection):
        silent = (await in_force(connection, one.township)).silent_years(near)
        if silent:
            says = f"nobody knows which days of {silent[0]} are worked in {one.township}: deadlines go by weekends"
            return Check("working days", "note", says, "roundbook deadlines install FILE, with that year")
    return Check("working days", "well", "the notices of the year are here, as far as deadlines need them")


async def _audit(connection: AsyncConnection) -> Check:
    """Whether each chain ends where it says; every entry is looked at by `roundbook audit verify`."""
    heads, newest = await audit.heads(connection), await audit.newest(connection)
    apart = sorted(code for code in {*heads, *newest} if heads.get(code) != newest.get(code))
    if apart:
        says = f"does not end where it says: {', '.join(apart)}"
        return Check("audit", "bad", says, "roundbook audit verify, and keep this database as it is")
    says = f"{sum(head.n for head in heads.values()):,} entries in {len(heads):,} chains, each ends where it says"
    return Check("audit", "well", says)


_NEWEST: Final = text(
    "SELECT max(at) FROM (SELECT max(opened_ms) AS at FROM townships UNION ALL SELECT max(contact_ms) FROM devices) x"
)


async def _clock(connection: AsyncConnection, now_ms: int) -> Check:
    """This machine's clock, against the database's and against what is already written down."""
    newest = (await connection.execute(_NEWEST)).scalar() or 0
    if now_ms < newest - CLOCK_NOTE_MS:
        says = f"is {(newest - now_ms) // 1000:,} s behind what was written last"
        return Check("clock", "bad", says, "set the clock, and let it be kept by NTP")
    if not is_sqlite(connection):
        epoch = (await connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one()
        apart = abs(int(epoch * 1000) - now_ms)
        if apart > CLOCK_NOTE_MS:
            return Check(
                "clock", "note", f"is {apart // 1000:,} s apart from the database's", "let NTP keep both"
            )
    return Check("clock", "well", "is not behind anything that is written down")
