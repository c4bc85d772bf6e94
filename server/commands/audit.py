"""roundbook audit list, head, verify."""

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.audit import service
from server.audit.acts import TITLES
from server.audit.chain import Verified
from server.commands import output
from server.commands.opening import Data, Database, Json, on_database
from server.refused import RefusedError
from server.storage.audit import Entry

audit = typer.Typer(no_args_is_help=True)
Chain = Annotated[
    str | None,
    typer.Option(
        "--township",
        metavar="CODE",
        help="Only this chain; what concerns no township is in the chain roundbook. 只看这个乡镇。",
        show_default=False,
    ),
]


@audit.callback()
def about() -> None:
    """审计记录：谁在什么时候做了什么。 What was done, by whom and when."""


@audit.command("list")
def list_all(
    *,
    township: Chain = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Only from this day or time on. 从这一天起。", show_default=False),
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """列出审计记录。 List the entries of the audit.

    With --json, everything that a program needs to verify them by itself, as docs/audit.md says.

    Example: roundbook audit list --township 321283104 --since 2026-11-01
    """
    since_ms = None if since is None else int(since.timestamp() * 1000)
    found = on_database(data, database, lambda engine: service.listed(engine, township, since_ms))
    if as_json:
        output.json([_plain(entry) for entry in found])
        return
    rows = [(e.township, e.n, output.clock_time(e.at_ms), _title(e), e.actor, _shown(e)) for e in found]
    columns = (output.whole("chain"), output.number("n"), output.whole("when"), "act", "by", "about")
    output.table(columns, rows, empty="Nothing was written down yet. 还没有审计记录。")


@audit.command()
def head(
    *, township: Chain = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """打印各链的末尾，供另处保存。 Print where the chains end, to be kept elsewhere.

    A chain that is cut at its end looks whole by itself: `roundbook audit verify --head` notices it.

    Example: roundbook audit head --township 321283104
    """
    found = on_database(data, database, lambda engine: service.heads(engine, township))
    if as_json:
        output.json(found)
        return
    for one in found:
        # A line by itself and never folded, so that it can be copied whole.
        typer.echo(service.written(one))
    if not found:
        output.say("Nothing was written down yet. 还没有审计记录。")


@audit.command()
def verify(
    *,
    township: Chain = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head",
            metavar="HEAD",
            help="A line that `audit head` printed; may be repeated. 以前保存的链尾。",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """逐条核验审计记录。 Look at every entry, and name each that was changed, moved or is missing.

    Ends with exit code 1 when something does not fit.

    Example: roundbook audit verify --township 321283104
    """
    known = [service.read(one) for one in head or []]

    async def work(engine: AsyncEngine) -> list[Verified]:
        total = sum(one.n for one in await service.heads(engine, township))
        with output.progress("Verifying 核验", total, quiet=as_json) as step:
            return await service.verify(engine, township, known, progress=step)

    found = on_database(data, database, work)
    faults = sum(len(one.faults) for one in found)
    if as_json:
        output.json({"ok": not faults, "chains": found})
    else:
        _show(found)
    if faults:
        message = (
            f"The audit does not fit in {faults:,} {'place' if faults == 1 else 'places'}: keep this database as it "
            "is, and compare it with a backup. 审计记录对不上，请保留现场并与备份核对。"
        )
        raise RefusedError(message)


def _show(found: list[Verified]) -> None:
    rows = [(one.township, one.entries, len(one.erased), len(one.faults) or "whole 完整") for one in found]
    columns = (output.whole("chain"), output.number("entries"), output.number("erased"), "faults")
    output.table(columns, rows, empty="Nothing was written down yet. 还没有审计记录。")
    for one in found:
        if one.erased:
            numbers = ", ".join(str(n) for n in one.erased[: output.REASONS_SHOWN])
            more = len(one.erased) - output.REASONS_SHOWN
            output.say(
                f"{one.township}: erased 已抹去明细: {numbers}{f' and {more:,} more' if more > 0 else ''}."
            )
    faults = [(one.township, f.n, f"{f.zh}\n{f.en}") for one in found for f in one.faults]
    if faults:
        shown = faults[: output.REASONS_SHOWN]
        output.table((output.whole("chain"), output.number("entry"), "what does not fit"), shown)
    if len(faults) > output.REASONS_SHOWN:
        output.say(f"and {len(faults) - output.REASONS_SHOWN:,} faults more: --json names every one.")


def _title(entry: Entry) -> str:
    return f"{TITLES[entry.act]} {entry.act}" if entry.act in TITLES else entry.act


def _shown(entry: Entry) -> str:
    if entry.detail is None:
        return "erased 已抹去"
    return " ".join(f"{name}={_value(value)}" for name, value in msgspec.json.decode(entry.detail).items())


def _value(value: object) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "township": entry.township,
        "n": entry.n,
        "at": output.moment(entry.at_ms),
        "at_ms": entry.at_ms,
        "act": entry.act,
        "actor": entry.actor,
        "detail": None if entry.detail is None else entry.detail.decode(),
        "salt": None if entry.salt is None else entry.salt.hex(),
        "commitment": entry.commitment,
        "previous": entry.previous,
        "hash": entry.hash,
    }
