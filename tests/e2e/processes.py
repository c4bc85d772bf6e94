"""Real server processes, over real sockets."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.vaults import TEXT

COMMAND = [sys.executable, "-c", "from server.starting import main; main()", "serve", "--port", "0"]
CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(url: str, folder: Path, **settings: int | str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server on a free port, once it says where it is. `settings` by the names of server/settings.py."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROUNDBOOK_")}
    chosen = {f"ROUNDBOOK_{name.upper()}": str(value) for name, value in settings.items()}
    own = {"PYTHONPATH": str(CHECKOUT), "ROUNDBOOK_DATA": str(folder / "data"), "ROUNDBOOK_MASTER_KEY": TEXT}
    environment = {**plain, **own, **chosen}
    with subprocess.Popen(
        [*COMMAND, "--database", url],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://\S+:\d+", said)
            assert found, said
            yield found.group(), process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
