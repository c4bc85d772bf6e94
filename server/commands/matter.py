"""roundbook matter held, erase, hold, lift, import."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Annotated, Final, TypeVar

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.audit.acts import OPERATOR
from server.commands import output
from server.commands.opening import Data, Database, Json, make_ready, settings_of, with_engine
from server.declined import Declined, invalid
from server.privacy import matters, showing
from server.privacy.matters import Holding
from server.privacy.showing import Held
from server.reach import Caller, Reach
from server.refused import RefusedError
from server.services import Services, open_services
from server.storage import townships
from server.storage.engine import snapshot
from sync_protocol.codes import CODES

T = TypeVar("T")
matter = typer.Typer(no_args_is_help=True)
_ID: Final = "00000000-0000-8000-8000-000000000000"
"""The operator is no person, and so has no id of its own."""

Number = Annotated[
    str,
    typer.Argument(metavar="NUMBER", help="The registration number, or a record's id.", show_default=False),
]
Reason = Annotated[
    str, typer.Option(help="Why, in words and without names. 事由，不写姓名。", show_default=False)
]


@matter.callback()
def about() -> None:
    """某一事项：留存情况、抹去、依法留存。 What is held of one matter, and how it goes."""


@matter.command()
def held(
    *, number: Number, reason: Reason, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """出具某一事项的全部留存情况。 Show everything that is held about a matter.

    Contact is masked, so that it can be handed to whoever asks; --json has every line of it. That it was made,
    and why, is in the audit.

    Example: roundbook matter held 321283104-2026-00017 --reason "本人申请查阅"
    """
    found = _run(
        data, database, lambda services, who: showing.show(services, who, number, reason, by=OPERATOR)
    )
    if as_json:
        output.json(found)
    else:
        _show(found)


@matter.command()
def erase(
    *, number: Number, reason: Reason, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """抹去某一事项的内容，不可恢复。 Erase what is held about a matter, for good.

    Its values go from the record, its history, differing values, the quarantine and the devices; id, number and
    outcome stay. A legal hold has to be lifted first.

    Example: roundbook matter erase 321283104-2026-00017 --reason "本人申请抹去"
    """
    done = _run(
        data, database, lambda services, who: matters.erase_matter(services, who, number, reason, by=OPERATOR)
    )
    if as_json:
        output.json(done)
        return
    when = output.clock_time(done.erased_ms)
    what = "is erased 已抹去" if done.now else f"was erased already, {when} 此前已抹去"
    output.say(f"{done.number or done.record} ({done.kind}) {what}.")
    output.hint("Devices let go of it at their next sync. 设备在下次同步时删除。")
    if not done.listed:
        output.hint("The list of erasures could not be written: see `roundbook doctor`. 抹去清单未能写入。")


@matter.command()
def hold(
    *, number: Number, reason: Reason, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """依法留存：在解除之前不得抹去。 Set a legal hold: nothing of the matter is erased while it stands.

    Example: roundbook matter hold 321283104-2026-00017 --reason "法院调取，案号另存"
    """
    done = _run(
        data, database, lambda services, who: matters.hold(services, who, number, reason, by=OPERATOR)
    )
    _holds(done, "is held 已留存", as_json=as_json)


@matter.command()
def lift(
    *, number: Number, reason: Reason, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """解除留存。 Lift the legal hold: retention and erasure may go on.

    Example: roundbook matter lift 321283104-2026-00017 --reason "案件已结"
    """
    done = _run(
        data, database, lambda services, who: matters.lift(services, who, number, reason, by=OPERATOR)
    )
    _holds(done, "is held no more 已解除", as_json=as_json)


@matter.command(name="import")
def import_(
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A workbook of Excel (.xlsx).", show_default=False)
    ],
    township: Annotated[str, typer.Option(help="The township's code.", show_default=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would come of it.", show_default=False)
    ] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """导入办公室旧台账，保留原编号。 Take the office's old ledger over, under its old numbers.

    The first sheet, a matter a line; columns are known by the words of their headings. All of a file comes, or
    nothing; lines that cannot come are named with the reason. A second import of the same file changes nothing.

    Example: roundbook matter import 旧台账.xlsx --township 321283104 --dry-run
    """
    # Reading workbooks takes a while to load, and no other command needs it.
    from server.intake.importing import Imported, import_sheet  # noqa: PLC0415

    async def take(services: Services, who: Caller) -> Imported:
        if township not in who.townships:
            raise invalid("township", f"no township {township} is open here")
        desk = msgspec.structs.replace(who, reach=Reach((township,)), scopes=frozenset({"contact:write"}))
        with _opened(file) as content:
            return await import_sheet(services, desk, content, dry_run=dry_run)

    done = _run(data, database, take)
    if as_json:
        output.json(done)
        return
    verb = "would be taken over 将导入" if dry_run else "taken over 已导入"
    output.say(f"{done.new:,} {verb}, {done.known:,} known 已有, {len(done.refused):,} refused 未导入.")
    output.refusals([(one.line, f"{one.reason.zh} {one.reason.en}") for one in done.refused])
    if done.ignored:
        output.hint(f"Columns that were not used 没有用到的列: {'、'.join(done.ignored)}")


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        message = f"{file} cannot be read ({error.strerror}): name a workbook of Excel (.xlsx)."
        raise RefusedError(message) from error


def _run(data: Data, database: Database, work: Callable[[Services, Caller], Awaitable[T]]) -> T:
    """Runs work that a service does for callers, for the operator, who reaches every township."""
    settings = settings_of(data, database)
    make_ready(settings)

    async def run(engine: AsyncEngine) -> T:
        services = open_services(settings, engine)
        await services.registry.refresh()
        codes = tuple(await snapshot(engine, townships.codes))
        reach = Reach(codes, restricted=True)
        return await work(services, Caller(_ID, "operator", "administrator", reach, frozenset()))

    try:
        return with_engine(settings, run)
    except Declined as declined:
        code = CODES[declined.code]
        detail = f" ({declined.detail})" if declined.detail else ""
        message = f"{code.en[0].upper()}{code.en[1:]}{detail}: {code.next_en}. {code.zh}，{code.next_zh}。"
        raise RefusedError(message) from declined


def _holds(done: Holding, what: str, *, as_json: bool) -> None:
    if as_json:
        output.json(done)
        return
    output.say(f"{done.number or done.record} {what}.")
    rows = [
        (output.clock_time(one.set_ms), one.actor, one.reason, output.clock_time(one.lifted_ms))
        for one in done.holds
    ]
    output.table((output.whole("set 起"), "by 由", "reason 事由", output.whole("lifted 止")), rows)


def _show(found: Held) -> None:
    record = found.record
    state = f"{record.state or '–'}{', erased 已抹去' if record.erased else ''}"
    output.facts(
        [
            ("number 编号", record.number),
            ("record 记录", record.id),
            ("kind 表单", record.kind),
            ("place 位置", record.place),
            ("state 状态", state),
            *((name, _text(value)) for name, value in record.fields.items()),
        ]
    )
    output.table(
        (output.whole("when 时间"), "who 谁", "what 结果", "about 内容"),
        [
            (
                output.clock_time(item.who.received_ms),
                item.who.author_name or item.who.role,
                item.action or item.do or item.result,
                [f"{one.path or '–'}: {_text(one.after)}" for one in item.effects],
            )
            for item in found.history
        ],
    )
    devices = [(one.device, one.grid, one.wrote, output.clock_time(one.contact_ms)) for one in found.devices]
    columns = (output.whole("device 设备"), output.whole("grid 网格"), "wrote 写过", "contact 上次联系")
    output.table(columns, devices, empty="No device holds it. 没有设备保存。")
    counts = (len(found.differing), len(found.quarantine), found.exits, found.receipts, len(found.audit))
    names = ("differing 分歧", "quarantine 隔离", "exits 移出", "receipts 回执", "audit 审计")
    output.table([output.number(name) for name in names], [counts])
    output.say(found.elsewhere)


def _text(value: object) -> str:
    return value if isinstance(value, str) else output.plain(value)
