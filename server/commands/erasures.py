"""roundbook erasures apply, list: the list of erasures outside the database."""

from pathlib import Path
from typing import Annotated

import typer

from server.audit.acts import OPERATOR
from server.commands import output
from server.commands.opening import Data, Database, Json, make_ready, now_ms, settings_of, with_engine
from server.privacy import applying
from server.privacy.applying import Applied
from server.privacy.listing import Line, lines_in
from server.settings import Settings

erasures = typer.Typer(no_args_is_help=True)
File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="The list. [ROUNDBOOK_ERASURES, else in the data folder]", show_default=False
    ),
]


@erasures.callback()
def about() -> None:
    """抹去清单：存放在数据库之外，恢复备份后再次抹去。 The list of erasures, which a restore does not take back."""


@erasures.command("list")
def list_lines(
    *, file: File = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """列出抹去清单。 List the lines of the list: ids and numbers, never what was erased.

    Example: roundbook erasures list
    """
    settings = settings_of(data, database)
    found = [line for line in lines_in(_file(file, settings)) if isinstance(line, Line)]
    if as_json:
        output.json(found)
        return
    rows = [
        (one.township, one.number or one.record, one.kind, one.cause, output.clock_time(one.at))
        for one in found
    ]
    columns = ("township 乡镇", output.whole("number 编号"), "kind 表单", "cause 缘由", "when 时间")
    output.table(columns, rows, empty="Nothing was erased. 清单为空。")


@erasures.command()
def apply(*, file: File = None, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """按清单再次抹去。 Erase again what a restored database has brought back.

    `roundbook restore` does so by itself; run this after a PostgreSQL was restored by its own tools, before the
    server is started. May be repeated; on several machines, once with the list of each.

    Example: roundbook erasures apply /srv/roundbook/erasures.jsonl
    """
    settings = settings_of(data, database)
    make_ready(settings)
    found = _file(file, settings)
    done = with_engine(settings, lambda engine: applying.apply(engine, found, OPERATOR, now_ms()))
    if as_json:
        output.json(done)
    else:
        show(done)


def show(done: Applied) -> None:
    """Says what became of a list."""
    output.say(
        f"Erased again 再次抹去 {done.erased:,}, erased already 此前已抹去 {done.already:,}, "
        f"under a legal hold 依法留存 {len(done.held):,}, lines refused 无效行 {done.refused:,}."
    )
    if done.held:
        output.hint(f"Lift the hold, then apply the list again: {', '.join(done.held)}")
    if done.refused:
        output.hint("Refused lines were torn, or are not of this server.")


def _file(named: Path | None, settings: Settings) -> Path:
    return named if named is not None else Path(settings.erasures)
