"""How `roundbook-device` speaks: Chinese beside English, tables for people, JSON for programs."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from client_sdk.problem import Problem
from client_sdk.record import DELIVERY_WORDS, Record
from sync_protocol.kinds import Kind
from sync_protocol.session_report import Progress

WIDTH_OF_A_PIPE: Final = 140
SHORT_CODE_CHARS: Final = 6
"""The end of an id, by which people name a record until it has a number (failures, row 22)."""


def console(*, error: bool = False) -> Console:
    """Standard output, or standard error; wide enough where nobody's terminal limits it."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDTH_OF_A_PIPE, highlight=False)


def as_json(value: object) -> None:
    """One JSON document on a line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def say(text: str, *, error: bool = False) -> None:
    """A sentence."""
    console(error=error).print(Text(text), soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A table; `empty` instead of one without rows."""
    if not rows:
        say(empty)
        return
    made = Table(*(Column(name, overflow="fold") for name in columns), box=box.SIMPLE_HEAD, show_edge=False)
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(made)


def moment(at_ms: int) -> str:
    """A time by the device's clock, as its wall shows it."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def record_json(record: Record) -> dict[str, Any]:
    """A record for programs, in the names of the SDK."""
    return {
        "id": record.id,
        "kind": record.kind,
        "grid": record.grid,
        "fields": dict(record.fields),
        "version": record.version,
        "delivery": record.delivery,
        "number": record.number,
        "state": record.state,
    }


def short(record: Record) -> str:
    """How people name a record: its number, else its short code."""
    return record.number or record.id[-SHORT_CODE_CHARS:]


def records(found: Sequence[Record], kinds: dict[str, Kind]) -> None:
    """A table of records."""
    columns = ("编号 number", "表单 kind", "标题 title", "网格 grid", "状态 state", "上传 delivery")
    rows = [
        (
            short(record),
            _title(kinds, record.kind),
            record.fields.get("title") or "",
            record.grid[-3:],
            _state(kinds, record),
            " ".join(DELIVERY_WORDS[record.delivery]),
        )
        for record in found
    ]
    table(columns, rows, "没有记录 / no records")


def one(record: Record, kind: Kind | None) -> None:
    """A record with every field that is set."""
    rows: list[tuple[object, object]] = [("id", record.id), ("编号 number", record.number)]
    rows += [("状态 state", record.state), ("上传 delivery", " ".join(DELIVERY_WORDS[record.delivery]))]
    for name, value in record.fields.items():
        declared = kind.field(name) if kind is not None else None
        if value is not None:
            rows.append((f"{declared.title.zh} {name}" if declared is not None else name, value))
    table(("栏目 field", "内容 value"), rows, "")


def problems(found: Sequence[Problem]) -> None:
    """What needs attention: the record, what it is, the values, the next step."""
    rows = []
    for problem in found:
        values = "；".join(
            f"{path}: 我填的 yours {one.own!r}，现为 stands {one.standing!r}"
            for path, one in problem.values.items()
        )
        why = problem.reason or values
        next_step = f"{problem.next_zh} / {problem.next_en}"
        rows.append((short(problem.record), _WHAT.get(problem.what, problem.what), why, next_step))
    columns = ("记录 record", "事由 what", "说明 why", "下一步 next step")
    table(columns, rows, "没有需处理的内容 / nothing needs attention")


_WHAT: Final = {
    "differs": "内容不一致，待核对 values differ",
    "returned": "已退回 returned",
    "quarantined": "需处理 needs attention",
}


class SyncBar:
    """A bar over the changes to be sent, and the records that come."""

    def __init__(self) -> None:
        """Starts the bar, on standard error."""
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console(error=True)
        )
        self._sent = self._bar.add_task("上传 sending", total=None)
        self._received = self._bar.add_task("接收 receiving", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, now: Progress) -> None:
        """How far it is."""
        self._bar.update(self._sent, completed=now.changes_done, total=now.changes_total)
        self._bar.update(self._received, completed=now.records_done, total=now.records_total)


def _title(kinds: dict[str, Kind], name: str) -> str:
    return kinds[name].title.zh if name in kinds else name


def _state(kinds: dict[str, Kind], record: Record) -> str:
    kind = kinds.get(record.kind)
    state = kind.workflow.state(record.state or "") if kind is not None and kind.workflow else None
    return f"{state.title.zh} {state.title.en}" if state is not None else ""
