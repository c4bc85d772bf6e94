"""roundbook kinds check, install, list."""

from pathlib import Path
from secrets import token_bytes
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import Data, Database, Json, now_ms, on_database, settings_of
from server.files import read_text
from server.kinds import service
from server.kinds.registry import Registry
from server.kinds.service import InstalledKind
from server.quarantine.kinds import replay_waiting
from server.quarantine.waiting import TakenIn
from server.refused import RefusedError
from server.services import Services
from sync_protocol.kinds import Finding, Kind, KindError

kinds = typer.Typer(no_args_is_help=True)
Declaration = Annotated[Path, typer.Argument(metavar="FILE.toml", show_default=False)]


@kinds.callback()
def about() -> None:
    """Kinds of records, declared in TOML."""


@kinds.command()
def check(*, file: Declaration, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """Check a declaration, also beside the versions that are installed. Installs nothing.

    Example: roundbook kinds check well_check.toml
    """
    text = read_text(file)
    settings = settings_of(data, database)
    with findings(file, as_json=as_json):
        if settings.embedded and not settings.file.exists():
            kind = service.checked(text, file.name)
        else:
            kind = on_database(data, database, lambda engine: service.check(engine, text, file.name))
    if as_json:
        output.json({"ok": True, "kind": _brief(kind), "findings": []})
    else:
        output.say(f"{file.name} is in order: {_title(kind)}, {len(kind.fields)} fields.")


@kinds.command()
def install(
    *, file: Declaration, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """Install a kind, or a new version of one. What is installed never changes.

    Servers that run take it up within half a minute, devices with their next sync. Changes that came before
    the kind did, and wait in the quarantine for it, are taken in.

    Example: roundbook kinds install well_check.toml
    """
    text = read_text(file)

    async def work(engine: AsyncEngine) -> tuple[InstalledKind, TakenIn]:
        done = await service.install(engine, text, file.name, now_ms())
        services = Services(engine, Registry(engine, now_ms), now_ms, token_bytes, settings.limits)
        return done, await replay_waiting(services, done.kind)

    settings = settings_of(data, database)
    with findings(file, as_json=as_json):
        done, waited = on_database(data, database, work)
    if as_json:
        replayed = {"taken": waited.taken, "waiting": waited.waiting}
        output.json({"ok": True, "kind": _brief(done.kind), "new": done.new, "replayed": replayed})
        return
    output.say(f"{_title(done.kind)} {'is installed' if done.new else 'was installed already'}.")
    if waited.taken:
        output.say(f"Taken in from the quarantine, where they had waited for it: {waited.taken} changes.")
    if waited.waiting:
        output.say(
            f"Still in the quarantine, for the office to look at: {waited.waiting} changes of this kind."
        )


@kinds.command("list")
def list_all(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """List every version of every kind.

    Example: roundbook kinds list --json
    """
    found = on_database(data, database, service.installed)
    if as_json:
        output.json([{**_brief(one.kind), "installed_at": output.moment(one.installed_ms)} for one in found])
        return
    rows = [
        (
            one.kind.name,
            one.kind.version,
            one.kind.title.zh,
            one.kind.title.en,
            len(one.kind.fields),
            output.day(one.installed_ms),
        )
        for one in found
    ]
    version, fields = output.number("version"), output.number("fields")
    columns = (output.whole("kind"), version, "标题", "title", fields, "installed")
    output.table(columns, rows, empty="No kind is installed: `roundbook migrate` installs those that ship.")


class findings:  # noqa: N801 (used as a block, not as a value)
    """Turns KindError into what a command prints: a sentence, and the findings."""

    def __init__(self, file: Path, *, as_json: bool) -> None:
        self._file = file
        self._as_json = as_json

    def __enter__(self) -> None:
        return

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, KindError):
            return
        if self._as_json:
            output.json({"ok": False, "findings": error.findings})
        else:
            rows = [_row(finding) for finding in error.findings]
            output.table((output.number("line"), "key", "what is wrong", "write instead"), rows)
        count = len(error.findings)
        message = f"{self._file.name} has {count} {'fault' if count == 1 else 'faults'}: mend the file and try again."
        raise RefusedError(message) from error


def _row(finding: Finding) -> tuple[object, ...]:
    problem, instead = finding.problem, finding.write_instead
    line = finding.line or None
    return line, finding.key, f"{problem.zh}\n{problem.en}", f"{instead.zh}\n{instead.en}"


def _title(kind: Kind) -> str:
    return f"{kind.title.zh} {kind.name}, version {kind.version}"


def _brief(kind: Kind) -> dict[str, object]:
    return {
        "name": kind.name,
        "version": kind.version,
        "title": kind.title,
        "fields": list(kind.fields),
        "workflow": kind.workflow is not None,
    }
