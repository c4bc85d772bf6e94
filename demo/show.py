"""What a round came to, for people: a table, what befell whom, the checks, a difference, a history."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from demo.clocks import DAY, HOUR, MINUTE, SECOND, local
from demo.inbox import short
from demo.result import Check, DeviceResult, Differing, Result, Story, Value

_COUNTS: Final = (
    ("已保存\nsaved", "saved"),
    ("已收到\nsent", "sent"),
    ("采用\napplied", "applied"),
    ("已合并\nmerged", "merged"),
    ("不一致\ndiffer", "differing"),
    ("需处理\nquaran-\ntined", "quarantined"),
    ("待上传\nwaits", "waiting"),
    ("上行\nB up", "bytes_up"),
    ("下行\nB down", "bytes_down"),
    ("往返\ntrips", "round_trips"),
)
_OFFICE: Final = {
    "applied": "applied",
    "merged": "merged",
    "differing": "conflict",
    "quarantined": "quarantined",
}
_ROLES: Final = {
    "dies": ("上传到一半时进程被杀，重开续传", "killed in the middle of an upload"),
    "loses_answer": ("镇里已收，答复丢失，重传不重复", "an answer was lost, all was sent again"),
    "loses_record": ("一条记录夜里移走，次日不知情仍修改", "a record left at night, edited here after"),
    "moves": ("夜里换网格，次日不知情仍在原处工作", "moved at night, worked in the old grid after"),
    "crafts_field": ("绕过软件，存入不合规的值", "an invalid value, below the SDK's checks"),
    "crafts_kind": ("绕过软件，存入未知的表单和版本", "a kind and a version nobody knows"),
}
_RESULTS: Final = {
    "applied": "采用 applied",
    "merged": "已合并 merged",
    "conflict": "不一致 differs",
    "quarantined": "需处理 quarantined",
}
_ASIDE: Final = {
    "conflict": "现值不变，另存待核对 kept beside what stands",
    "quarantined": "留存待处理 kept in quarantine",
}
_LEGEND: Final = (
    "已收到 = 镇里已收到。不一致的由镇里核对，需处理的留在镇里，都不妨碍其余。",
    "What differs or is quarantined waits for the office; everything else goes on.",
)
_RIGHT_MS: Final = 2 * MINUTE
_YEAR: Final = 365 * DAY
_STEPS: Final = 12


def show(result: Result, to: Console) -> None:
    """Prints everything but where to look further."""
    where = result.setting
    to.print(
        Text(
            f"{where.name} {where.township}，种子 seed {result.seed}：{where.villages} 村 villages，"
            f"{where.grids} 网格 grids，{len(result.devices)} 设备 devices"
        )
    )
    to.print()
    to.print(devices(result))
    for line in _LEGEND:
        to.print(Text(line, style="dim"))
    to.print()
    to.print(befell(result.devices))
    to.print()
    to.print(_checks(result.checks))
    if result.differing is not None:
        to.print()
        _differing(result.differing, to)
    if result.history is not None:
        to.print()
        _history(result.history, to)


def devices(result: Result) -> Table:
    """A line a device, their sum, and the office's own changes."""
    numbers = [Column(title, justify="right", no_wrap=True) for title, _ in _COUNTS]
    table = _table(Column("设备\ndevice", no_wrap=True), *numbers)
    for row in result.devices:
        table.add_row(f"{row.device} {row.worker}", *(_figure(getattr(row, name)) for _, name in _COUNTS))
    sums = [sum(getattr(row, name) for row in result.devices) for _, name in _COUNTS]
    table.add_section()
    table.add_row("合计 all", *map(_figure, sums), style="bold")
    said = {name: result.office.get(stored, 0) for name, stored in _OFFICE.items()}
    said |= {"saved": sum(said.values()), "sent": sum(said.values())}
    table.add_row("镇里 desk", *(_figure(said.get(name, 0)) for _, name in _COUNTS), style="dim")
    return table


def befell(rows: Sequence[DeviceResult]) -> Table:
    """The devices with a wrong clock, a slow link, or a story."""
    whole = [Column(name, no_wrap=True) for name in ("设备 device", "时钟 clock", "线路 link")]
    table = _table(*whole, Column("经过 what befell it", overflow="fold"))
    for row in rows:
        clock, story = _clock(row), "\n".join(_ROLES.get(row.role or "", ()))
        link = f"慢，断 {row.cuts} 次\nslow, cut {row.cuts} ×" if row.slow else ""
        if clock or link or story:
            table.add_row(f"{row.device} {row.worker}", clock, link, story)
    return table


def _table(*columns: Column | str) -> Table:
    return Table(
        *columns, box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, header_style="bold"
    )


def _figure(value: int) -> str:
    return str(value) if value else "·"


def _clock(row: DeviceResult) -> str:
    if row.clock_jump_ms:
        return f"中午跳 {_span(row.clock_jump_ms)}\njumps at noon"
    return _span(row.clock_error_ms) if abs(row.clock_error_ms) >= _RIGHT_MS else ""


def _span(ms: int) -> str:
    """How far a clock is off."""
    sign, size = "+" if ms > 0 else "−", abs(ms)
    if size >= _YEAR:
        return f"{sign}{size / _YEAR:.0f} 年 y"
    if size >= DAY:
        return f"{sign}{size // DAY} 天 d"
    return f"{sign}{size // HOUR}:{size % HOUR // MINUTE:02} 小时 h"


def _checks(checks: Sequence[Check]) -> Table:
    """What was asked about the round, with how many things it was asked of."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for check in checks:
        mark = Text("✓", "green") if check.ok else Text("✗", "bold red")
        said = Text.assemble(check.zh, (f"\n{check.en}", "dim"))
        for line in check.differs:
            said.append(f"\n{line}", style="red")
        table.add_row(mark, check.figures, said)
    return table


def _differing(found: Differing, to: Console) -> None:
    """One row of the office's inbox."""
    decided = "按规则选定 chosen by rule" if found.status == "by_rule" else "待镇里核对 undecided"
    to.print(Text("内容不一致 values differ", style="bold"))
    to.print(Text(f"  {found.number or found.record}  {found.path} ({found.rule})，{decided}"))
    to.print(Text(f"  此前 base      {short(found.base)}"))
    to.print(Text(f"  现值 stands    {short(found.stands)}"))
    for value in found.values:
        mark = "采用 kept     " if value.stands else "未采用 not kept"
        when = f"{_moment(value.estimated_ms)} ±{_unsure(value.uncertainty_ms)}"
        clock = f" 本机钟 own clock {_own(value)}" if value.role == "grid_worker" else ""
        to.print(
            Text.assemble(
                f"  {mark} ", (short(value.value), "bold"), f"  {value.by}", (f"  {when}{clock}", "dim")
            )
        )


def _history(story: Story, to: Console) -> None:
    """What happened to one record."""
    to.print(Text("修改记录 history", style="bold"))
    to.print(Text(f"  {story.number or story.record}  {short(story.title)}"))
    table = _table("何时 received", "何人 by", "结果 result", Column("改动 what it changed", overflow="fold"))
    for step in story.steps[:_STEPS]:
        what = "\n".join(step.what) or _ASIDE.get(step.result, "–")
        table.add_row(
            f"{local(step.received_ms):%m-%d %H:%M}", step.by, _RESULTS.get(step.result, step.result), what
        )
    to.print(table)
    if len(story.steps) > _STEPS:
        to.print(Text(f"  另有 {len(story.steps) - _STEPS} 条 more", style="dim"))


def _own(value: Value) -> str:
    """What the author's clock showed, with its day where that is another."""
    alike = local(value.at_ms).date() == local(value.estimated_ms).date()
    return f"{local(value.at_ms):%H:%M}" if alike else _moment(value.at_ms)


def _moment(ms: int) -> str:
    return f"{local(ms):%Y-%m-%d %H:%M}"


def _unsure(ms: int) -> str:
    if ms < MINUTE:
        return f"{max(ms // SECOND, 1)} s"
    return f"{ms // MINUTE} min" if ms < HOUR else f"{ms / HOUR:.1f} h"
