"""How far the round is, on standard error: a bar while a step runs, a line when it is done."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

_PIPE: Final = 120
"""Columns where nobody's terminal limits them, unless COLUMNS says otherwise."""
_BAR: Final = 24


class Progress:
    """Says how far it is."""

    def __init__(self) -> None:
        self._console = console(sys.stderr)

    @contextmanager
    def step(self, title: tuple[str, str], total: int) -> Iterator[Callable[[], object]]:
        """One step of the round; the block calls what it is given whenever a part is done."""
        began = time.monotonic()
        columns = (TextColumn("  {task.description}"), BarColumn(bar_width=_BAR), MofNCompleteColumn())
        words = " ".join(title)
        with Bars(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as bars:
            task = bars.add_task(words, total=total)
            yield lambda: bars.advance(task)
        took = f"{time.monotonic() - began:5.1f} s"
        self._console.print(Text.assemble(("✓ ", "green"), words, (f"  {took}", "dim")))

    def say(self, zh: str, en: str) -> None:
        """A sentence about the step that has just ended."""
        self._console.print(Text(f"    {zh} {en}", style="dim"))


def console(stream: TextIO) -> Console:
    """Where something is printed."""
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _PIPE
    return Console(file=stream, width=width, highlight=False)
