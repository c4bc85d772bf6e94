"""Real server processes, over real sockets."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import Process, started
from tests.vaults import TEXT

CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(url: str, folder: Path, **settings: int | str) -> Iterator[tuple[str, Process]]:
    """A server on a free port, once it says where it is. `settings` by the names of server/settings.py."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
    chosen = {f"ROUNDBOOK_{name.upper()}": str(value) for name, value in settings.items()}
    own = {"PYTHONPATH": str(CHECKOUT), "ROUNDBOOK_DATA": str(folder / "data"), "ROUNDBOOK_MASTER_KEY": TEXT}
    command = ("serve", "--port", "0", "--database", url)
    with started(command, {**plain, **own, **chosen}, 2, alone=True) as (process, said):
        try:
            first = said.readline()
            found = re.search(r"http://\S+:\d+", first)
            assert found, first
            yield found.group(), process
        finally:
            process.kill_group()
            process.wait(30)
