"""How commands speak: tables for people, JSON for programs, progress on long work.

What a program reads goes to standard output; progress, hints and errors go to standard error.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

WIDTH_OF_A_PIPE: Final = 160
"""Columns of a table that nobody's terminal limits, unless COLUMNS says otherwise."""

REASONS_SHOWN: Final = 20


class Step(Protocol):
    """Hears how much of the work is done."""

    def __call__(self, done: float, /) -> None:
        """`done` of the total."""


def number(name: str) -> Column:
    """A column of numbers."""
    return Column(name, justify="right", no_wrap=True)


def whole(name: str) -> Column:
    """A column that is never folded: ids and codes that people copy."""
    return Column(name, no_wrap=True)


def table(columns: Sequence[Column | str], rows: Sequence[Sequence[object]], *, empty: str = "") -> None:
    """Prints a table; `empty` is said instead when there are no rows.

    Cells are folded rather than cut, so that nothing is lost in a narrow terminal.
    """
    if not rows:
        say(empty)
        return
    made = Table(
        *(Column(name, overflow="fold") if isinstance(name, str) else name for name in columns),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="bold",
        show_edge=False,
    )
    for row in rows:
        made.add_row(*(Text(_cell(value)) for value in row))
    _console().print(made)


def refusals(lines: Sequence[tuple[int, str]]) -> None:
    """Prints which lines of a file were left out and why, those with the same reason together."""
    by_reason: dict[str, list[int]] = {}
    for line, reason in lines:
        by_reason.setdefault(reason, []).append(line)
    rows = [(found[0], len(found), reason) for reason, found in list(by_reason.items())[:REASONS_SHOWN]]
    if rows:
        table((number("first line"), number("rows"), "refused because"), rows)
    if len(by_reason) > REASONS_SHOWN:
        say(f"and {len(by_reason) - REASONS_SHOWN:,} reasons more: --json names every line.")


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Prints names and values, a line each."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, Text(_cell(value)))
    _console().print(made)


def say(text: str) -> None:
    """Prints a sentence."""
    _sentence(text, error=False)


def block(text: str) -> None:
    """Prints lines as they are: a picture made of characters."""
    sys.stdout.write(text)


def hint(text: str) -> None:
    """Prints a sentence that is not part of the result, such as the next step."""
    _sentence(text, error=True, style="dim")


def fail(text: str) -> None:
    """Prints what is wrong."""
    _sentence(text, error=True, style="red")


def json(value: Any) -> None:
    """Prints a value for programs."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def plain(value: Any) -> str:
    """A value on one line, as JSON, for people who read a report."""
    return msgspec.json.encode(value).decode()


@contextmanager
def progress(title: str, total: int, *, quiet: bool = False) -> Iterator[Step]:
    """A progress bar on standard error while the block runs, where somebody can see it."""
    console = _console(error=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def moment(ms: int | None) -> str | None:
    """A time as ISO 8601 with the offset of this machine's zone, to the second."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms // 1000, UTC).astimezone().isoformat()


def clock_time(ms: int | None) -> str | None:
    """The same for people."""
    text = moment(ms)
    return None if text is None else text[:16].replace("T", " ")


def day(ms: int | None) -> str | None:
    """The day of it."""
    text = moment(ms)
    return None if text is None else text[:10]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple | list | frozenset):
        return "\n".join(str(part) for part in value)
    return str(value)


def _sentence(text: str, *, error: bool, style: str = "") -> None:
    console = _console(error=error)
    # In a pipe or a log, a sentence stays on one line.
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)


def _console(*, error: bool = False) -> Console:
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDTH_OF_A_PIPE
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)
