"""roundbook staff add, list, disable, enable, import."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.first_link import link_for
from server.commands.opening import Data, Database, Json, now_ms, on_database, random, settings_of
from server.directory.encoding import decode
from server.files import read_file
from server.refused import RefusedError
from server.sessions.links import PATH
from server.staff import reading, service
from server.staff.roles import TITLES
from server.staff.service import Candidate, Refused
from server.storage.staff import StaffRow

staff = typer.Typer(no_args_is_help=True)
Who = Annotated[str, typer.Argument(metavar="NAME|ID", show_default=False)]
Where = Annotated[
    str | None, typer.Option("--township", metavar="CODE", help="Only in this township.", show_default=False)
]


@staff.callback()
def about() -> None:
    """The people who work with Roundbook."""


@staff.command()
def add(
    *,
    name: Annotated[str, typer.Option(help="Unique in the township.", show_default=False)],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(TITLES)}.", show_default=False)],
    township: Annotated[str | None, typer.Option(metavar="CODE", show_default=False)] = None,
    county: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of a county's people.", show_default=False)
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Add a person of a township, or of a county.

    Example: roundbook staff add --name 王芳 --role grid_worker --township 321283104
    """
    if (township is None) == (county is None):
        message = "A person belongs to a township or to a county: name --township or --county, one of them."
        raise RefusedError(message)
    candidate = Candidate(name, role, township or county or "")
    done = on_database(
        data, database, lambda engine: service.add(engine, candidate, now_ms=now_ms(), random=random)
    )
    if as_json:
        output.json(_plain(done))
    else:
        output.say(f"{done.name} ({_role(done)}) works in {done.township} now, id {done.staff_id}.")


@staff.command("list")
def list_all(
    *, township: Where = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """List people, those who were disabled too.

    Example: roundbook staff list --township 321283104
    """
    found = on_database(data, database, lambda engine: service.listed(engine, township))
    if as_json:
        output.json([_plain(row) for row in found])
        return
    rows = [(row.name, TITLES.get(row.role), row.township, _state(row), row.staff_id) for row in found]
    columns = ("name", "role", output.whole("township"), "state", output.whole("id"))
    output.table(columns, rows, empty="Nobody yet: `roundbook staff add` adds people.")


@staff.command()
def disable(
    *, who: Who, township: Where = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """End somebody's work. Their devices hand in what they hold, and read nothing any more.

    Example: roundbook staff disable 王芳
    """
    _set(who, township, data, database, enabled=False, as_json=as_json)


@staff.command()
def enable(
    *, who: Who, township: Where = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """Let somebody work again who was disabled.

    Example: roundbook staff enable 王芳
    """
    _set(who, township, data, database, enabled=True, as_json=as_json)


@staff.command("import")
def import_list(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
    township: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="For rows that name no township.", show_default=False),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="When not UTF-8: gb18030, utf-16.", show_default=False)
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Add the people of a CSV file with the columns name, role and township.

    Roles may be written in Chinese, such as 网格员.

    Example: roundbook staff import workers.csv --township 321283104
    """
    people, left_out = reading.read(decode(read_file(file), encoding), township)

    async def work(engine: AsyncEngine) -> tuple[list[StaffRow], list[Refused]]:
        return await service.add_all(engine, people, now_ms=now_ms(), random=random, progress=step)

    with output.progress("Adding", len(people), quiet=as_json) as step:
        added, refused = on_database(data, database, work)
    refused = sorted([*left_out, *refused], key=lambda line: line.line)
    if as_json:
        output.json({"added": [_plain(row) for row in added], "refused": refused})
    else:
        output.say(f"{len(added):,} added, {len(refused):,} refused.")
        output.refusals([(line.line, line.reason) for line in refused])
    if refused and not added:
        message = f"Nobody of {file.name} could be added."
        raise RefusedError(message)


@staff.command()
def scope(
    *,
    who: Who,
    village: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of a village officer.", show_default=False)
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Of a unit handler.", show_default=False)] = None,
    restricted: Annotated[
        bool | None,
        typer.Option(
            "--restricted/--not-restricted", help="Named for restricted matters.", show_default=False
        ),
    ] = None,
    township: Where = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Say how far somebody's work reaches.

    Example: roundbook staff scope 赵敏 --village 321283104203
    """
    done = on_database(
        data,
        database,
        lambda engine: service.set_scope(
            engine, who, township, village=village, unit=unit, sees_restricted=restricted, now_ms=now_ms()
        ),
    )
    if as_json:
        output.json(_plain(done))
        return
    named = "named for restricted matters" if done.sees_restricted else "not named for restricted matters"
    where = done.village or done.unit or done.township
    output.say(f"{done.name} ({_role(done)}) works in {where}, {named}.")


@staff.command()
def link(
    *,
    who: Annotated[str, typer.Option("--name", metavar="NAME|ID", show_default=False)],
    url: Annotated[str, typer.Option(help="Where people reach the server.")] = "http://127.0.0.1:8000",
    township: Where = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a one-time link with which somebody sets a password and a second factor.

    It is shown this once. Links that were made for them before are void.

    Example: roundbook staff link --name 赵敏
    """
    settings = settings_of(data, database)
    person, secret = on_database(data, database, lambda engine: link_for(settings, engine, who, township))
    address = f"{url.rstrip('/')}{PATH}{secret}"
    if as_json:
        output.json({"name": person.name, "township": person.township, "link": address})
        return
    hours = settings.sign_in.link_hours
    output.hint(f"For {person.name} alone, shown this once, valid for {hours} hours:")
    # A line by itself and never folded, so that it can be copied whole.
    typer.echo(address)


@staff.command("sign-out")
def sign_out(
    *, who: Who, township: Where = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """End every session of somebody.

    Example: roundbook staff sign-out 赵敏
    """
    done = on_database(
        data, database, lambda engine: service.end_sessions(engine, who, township, now_ms=now_ms())
    )
    if as_json:
        output.json(_plain(done))
    else:
        output.say(f"{done.name} ({done.township}) is signed out everywhere.")


def _set(
    who: str, township: str | None, data: Path | None, database: str | None, *, enabled: bool, as_json: bool
) -> None:
    done = on_database(
        data,
        database,
        lambda engine: service.set_enabled(engine, who, township, enabled=enabled, now_ms=now_ms()),
    )
    if as_json:
        output.json(_plain(done))
    else:
        output.say(f"{done.name} ({done.township}) {'works here again' if enabled else 'is disabled'}.")


def _role(row: StaffRow) -> str:
    return f"{TITLES.get(row.role, '')} {row.role}".strip()


def _state(row: StaffRow) -> str:
    return "works" if row.disabled_ms is None else f"disabled {output.day(row.disabled_ms)}"


def _plain(row: StaffRow) -> dict[str, object]:
    return {
        "id": row.staff_id,
        "name": row.name,
        "role": row.role,
        "township": row.township,
        "added_at": output.moment(row.added_ms),
        "disabled_at": output.moment(row.disabled_ms),
        "village": row.village,
        "unit": row.unit,
        "sees_restricted": bool(row.sees_restricted),
    }
