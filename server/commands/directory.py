"""roundbook directory import, roundbook township open, list and trim."""

from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import Data, Database, Json, now_ms, on_database, random
from server.directory import reading, service
from server.directory.encoding import decode
from server.directory.service import Imported
from server.directory.shipped import LIST_YEAR, shipped_list
from server.files import read_file
from server.refused import RefusedError
from server.restoring import Lost, lost
from server.storage.directory import GridRow, Opened
from server.sync.horizon import DAYS, Trimmed, trim

_DAY_MS: Final = 24 * 3_600_000

directory = typer.Typer(no_args_is_help=True)
township = typer.Typer(no_args_is_help=True)


@directory.callback()
def about_directory() -> None:
    """Provinces, cities, counties, towns and villages."""


@township.callback()
def about_township() -> None:
    """The townships that work here."""


@directory.command("import")
def import_list(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
    year: Annotated[
        int | None,
        typer.Option(
            help="The year of the list. [default: this year]", min=1980, max=2200, show_default=False
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="When not UTF-8: gb18030, utf-16.", show_default=False)
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Put a list of divisions into the directory, or a newer one over it.

    The columns are village_code, village_name, town_code, town_name, county_code, county_name, city_name and
    province_name. Rows that cannot be used are left out and named.

    Example: roundbook directory import villages.csv --year 2023
    """
    content = read_file(file)
    listed = reading.read(decode(content, encoding))
    list_year = year or (LIST_YEAR if content == shipped_list() else int(str(output.moment(now_ms()))[:4]))
    with output.progress("Importing", len(listed.rows), quiet=as_json) as step:
        done = on_database(
            data,
            database,
            lambda engine: service.import_divisions(
                engine, listed, list_year=list_year, now_ms=now_ms(), progress=step
            ),
        )
    if as_json:
        output.json(done)
    else:
        _show(done)
    if done.refused and not done.new + done.changed + done.unchanged:
        message = f"No row of {file.name} could be used."
        raise RefusedError(message)


def _show(done: Imported) -> None:
    counted = [output.number(name) for name in ("new", "changed", "unchanged", "refused")]
    row = (str(done.list_year), done.new, done.changed, done.unchanged, len(done.refused))
    output.table(("list of", *counted), [row])
    output.refusals([(refusal.line, refusal.reason) for refusal in done.refused])


@township.command("open")
def open_one(
    *,
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="The 9 digits of the town.", show_default=False)
    ],
    grids: Annotated[int, typer.Option(help="Grids of each village.")] = 3,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Start work in a township of the directory, with grids 001 to n in each village.

    Opening it again adds what is missing; nothing that is there changes but names.

    Example: roundbook township open 321283104 --grids 3
    """
    done = on_database(
        data,
        database,
        lambda engine: service.open_township(engine, code, grids=grids, now_ms=now_ms(), random=random),
    )
    if as_json:
        output.json(done)
        return
    what = "opened" if done.new else "was open already"
    added = "" if done.new else f", {done.grids_added:,} of them new"
    output.say(
        f"{done.name} {done.township} {what}: {done.villages:,} villages, {done.grids:,} grids{added}."
    )


@township.command("list")
def list_all(
    *,
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="A township, to see its grids.", show_default=False)
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List the townships that work here, or the grids of one.

    Example: roundbook township list 321283104
    """
    if code is None:
        _list_townships(on_database(data, database, _opened), as_json=as_json)
    else:
        _list_grids(on_database(data, database, lambda engine: service.grids(engine, code)), as_json=as_json)


async def _opened(engine: AsyncEngine) -> tuple[list[Opened], list[Lost]]:
    return await service.opened(engine), await lost(engine)


def _list_townships(found: tuple[list[Opened], list[Lost]], *, as_json: bool) -> None:
    opened, spans = found
    if as_json:
        listed = [{**_plain(one), "opened_at": output.moment(one.opened_ms)} for one in opened]
        by_code = {
            one.township: [_span(span) for span in spans if span.township == one.township] for one in opened
        }
        output.json([{**row, "lost": by_code[str(row["township"])]} for row in listed])
        return
    rows = [
        (one.township, one.name, one.villages, one.grids, output.clock_time(one.opened_ms)) for one in opened
    ]
    output.table(
        ("code", "township", output.number("villages"), output.number("grids"), "opened"),
        rows,
        empty="No township is open yet: `roundbook township open CODE` opens one.",
    )

    for span in spans:
        output.hint(in_words(span))


def _span(span: Lost) -> dict[str, object]:
    times = {"since": output.moment(span.since_ms), "until": output.moment(span.noticed_ms)}
    return {**times, "missing_numbers": span.missing}


def in_words(span: Lost) -> str:
    """What the office has to know of a restore."""
    times = f"from {output.clock_time(span.since_ms)} to {output.clock_time(span.noticed_ms)}"
    rows = [first if first == last else f"{first} to {last}" for first, last in span.missing]
    numbers = f" Numbers not brought back yet: {', '.join(rows)}." if rows else ""
    return (
        f"{span.name} {span.township} was restored: look again at what the office decided {times}; devices send "
        f"again what they had sent.{numbers}"
    )


def _plain(one: Opened) -> dict[str, object]:
    return {"township": one.township, "name": one.name, "villages": one.villages, "grids": one.grids}


def _list_grids(found: list[GridRow], *, as_json: bool) -> None:
    if as_json:
        output.json(found)
        return
    rows = [(row.village, row.village_name, row.grid, row.name) for row in found]
    output.table(("village code", "village", "grid code", "grid"), rows, empty="It has no grids.")


@township.command("trim")
def trim_exits(
    *,
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="One township. [default: all]", show_default=False)
    ] = None,
    days: Annotated[
        int, typer.Option(help="Keep what is younger than so many days.", min=1, max=36_500)
    ] = DAYS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count, and change nothing.", show_default=False)
    ] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Forget old notices that a record left a grid.

    A device that was away for longer reads its grids anew with its next sync; nothing else is lost. A
    program whose cursor of the feed is older reads the records again.

    Example: roundbook township trim 321283104 --days 180 --dry-run
    """
    today_ms = now_ms()
    before_ms = today_ms - days * _DAY_MS

    async def work(engine: AsyncEngine) -> list[Trimmed]:
        codes = [one.township for one in await service.opened(engine)] if code is None else [code]
        return [await trim(engine, one, before_ms, now_ms=today_ms, dry_run=dry_run) for one in codes]

    done = on_database(data, database, work)
    if as_json:
        before = output.moment(before_ms)
        output.json([{**asdict(one), "before": before, "dry_run": dry_run} for one in done])
        return
    exits = output.number("would be forgotten" if dry_run else "exits forgotten")
    before = output.clock_time(before_ms)
    rows = [(one.township, one.exits, before) for one in done]
    output.table(("code", exits, "from before"), rows, empty="No township is open yet.")
