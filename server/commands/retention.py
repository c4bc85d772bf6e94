"""roundbook retention list, set, run, report."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import Data, Database, Json, now_ms, on_database, settings_of
from server.kinds.registry import Registry
from server.privacy import retention as lengths
from server.privacy.recording import record
from server.privacy.retention import Length, Swept
from server.refused import RefusedError
from server.storage import townships
from server.storage.engine import snapshot
from server.storage.erasures import Counted
from server.storage.retention import RuleRow
from sync_protocol.kinds import Kind

retention = typer.Typer(no_args_is_help=True)
Township = Annotated[
    str | None,
    typer.Option("--township", metavar="CODE", help="Only this one. 只看这个乡镇。", show_default=False),
]
One = Annotated[
    str, typer.Option("--township", metavar="CODE", help="In this township. 乡镇。", show_default=False)
]
_ACTOR = "operator"
_FOREVER = "forever"


@retention.callback()
def about() -> None:
    """保存期限：多久、到期清理、清理报告。 How long what is kept, and what has gone."""


@retention.command("list")
def list_lengths(
    *, township: One, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """列出各类记录的保存期限。 List how long records of each kind are kept.

    Example: roundbook retention list --township 321283104
    """

    async def work(engine: AsyncEngine) -> list[Length]:
        kinds = await _kinds(engine)
        return await lengths.lengths_of(engine, township, kinds)

    found = on_database(data, database, work)
    if as_json:
        output.json(found)
        return
    rows = [
        (
            one.kind,
            _days(one.on_devices, "closed 办结"),
            _days(one.on_server, _FOREVER),
            one.source,
            one.reason,
        )
        for one in found
    ]
    output.table(
        ("kind 表单", "on devices 设备上", "on the server 服务器上", "source 来源", "reason 依据"), rows
    )


@retention.command("set")
def set_length(
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", show_default=False)],
    days: Annotated[
        str,
        typer.Argument(
            metavar="DAYS", help="Days after the last change, forever, or declared.", show_default=False
        ),
    ],
    township: One,
    reason: Annotated[str, typer.Option(help="The rule that asks for it. 依据。", show_default=False)],
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """为某乡镇另定保存期限。 Keep records of a kind longer or shorter in one township.

    `declared` gives back what the kind declares.

    Example: roundbook retention set matter 1825 --township 321283104 --reason "县档案局2026年3号文"
    """

    async def work(engine: AsyncEngine) -> list[Length]:
        kinds = await _kinds(engine)
        if kind not in {one.name for one in kinds}:
            message = f"There is no kind {kind[:41]!r} here: `roundbook kinds list` lists them."
            raise RefusedError(message)
        if days == lengths.KINDS_DECIDE:
            await lengths.unset_length(engine, township, kind, now_ms())
        else:
            words = " ".join(reason.split())[:500]
            await lengths.set_length(engine, township, RuleRow(kind, _number(days), words, _ACTOR, now_ms()))
        return await lengths.lengths_of(engine, township, kinds)

    found = [one for one in on_database(data, database, work) if one.kind == kind]
    if as_json:
        output.json(found[0])
        return
    kept = _days(found[0].on_server, _FOREVER)
    output.say(f"{township} keeps records of the kind {kind} for {kept}, as {found[0].source}.")


@retention.command()
def run(
    *,
    township: Township = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count, and change nothing. 只计数。", show_default=False)
    ] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """清理到期的记录。 Erase what has been kept long enough, and take old records off devices.

    The server does so by itself, each hour unless ROUNDBOOK_RETENTION_MINUTES says otherwise.

    Example: roundbook retention run --township 321283104 --dry-run
    """
    settings = settings_of(data, database)

    async def work(engine: AsyncEngine) -> list[Swept]:
        kinds = await _kinds(engine)
        codes = await snapshot(engine, townships.codes) if township is None else [township]
        done: list[Swept] = []
        with output.progress("Looking through 清理", len(codes), quiet=as_json) as step:
            for nth, code in enumerate(codes, 1):
                done += await lengths.sweep(engine, code, kinds, now_ms(), dry_run=dry_run)
                if not dry_run:
                    await record(engine, Path(settings.erasures), code)
                step(nth)
        return done

    found = on_database(data, database, work)
    if as_json:
        output.json({"dry_run": dry_run, "done": found})
        return
    rows = [(one.township, one.kind, one.left_devices, one.erased) for one in found]
    would = "would be " if dry_run else ""
    columns = (
        "township 乡镇",
        "kind 表单",
        output.number(f"{would}off devices 移出设备"),
        output.number(f"{would}erased 抹去"),
    )
    output.table(columns, rows, empty="Nothing has been kept long enough. 没有到期的记录。")


@retention.command()
def report(
    *,
    township: Township = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only from this day on. 从这一天起。", show_default=False)
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """清理报告：各类记录抹去了多少。 Say how many records were erased, by kind and cause.

    Example: roundbook retention report --township 321283104 --since 2026-01-01
    """
    since_ms = 0 if since is None else int(since.timestamp() * 1000)

    async def work(engine: AsyncEngine) -> list[Counted]:
        codes = await snapshot(engine, townships.codes) if township is None else [township]
        return [one for code in codes for one in await lengths.report(engine, code, since_ms, now_ms())]

    found = on_database(data, database, work)
    if as_json:
        output.json(found)
        return
    rows = [
        (one.township, one.kind, one.cause, one.records, output.day(one.first_ms), output.day(one.last_ms))
        for one in found
    ]
    columns = (
        "township 乡镇",
        "kind 表单",
        "cause 缘由",
        output.number("records 条数"),
        "first 最早",
        "last 最近",
    )
    output.table(columns, rows, empty="Nothing was erased. 没有抹去过记录。")


async def _kinds(engine: AsyncEngine) -> tuple[Kind, ...]:
    """The newest version of every kind that is installed."""
    registry = Registry(engine, now_ms)
    await registry.refresh()
    return registry.current()


def _days(days: int | None, without: str) -> str:
    return without if days is None else f"{days:,} days 天"


def _number(days: str) -> int | None:
    if days == _FOREVER:
        return None
    if days.isascii() and days.isdigit() and len(days) <= len(str(lengths.DAYS_MAX)):
        return int(days)
    message = f"DAYS is a number of days, {_FOREVER} or {lengths.KINDS_DECIDE}, got {days[:20]!r}."
    raise RefusedError(message)
