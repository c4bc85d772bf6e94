"""Databases, the PostgreSQL server behind them, and what is left out where something is missing."""

import fcntl
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase
from sqlalchemy import make_url

from server.sessions import passwords
from tests.databases import DatabaseKind, Databases, PostgresDatabases, SqliteDatabases
from tests.postgres import postgres_server

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = CHECKOUT / ".cache"
SHARED = Path(os.environ.get("ROUNDBOOK_SHARED", CHECKOUT.parent / "shared"))
STALE_AFTER_S = 60.0
# Databases by the thousand are made and dropped here: on a disk one of PostgreSQL takes 0.9 s, in memory 0.03.
MEMORY = Path("/dev/shm/roundbook-tests")  # noqa: S108 (each session has a locked folder of its own in it)
MEMORY_BYTES = 2 * 2**30

# Marks whose tests are not collected where what they read is missing, with the reason.
MISSING: dict[str, str] = {}
if not (SHARED / "data").is_dir():
    MISSING["shared_data"] = f"no folder {SHARED / 'data'} (ROUNDBOOK_SHARED names another than ../shared)"
if not os.environ.get("TEST_CITUS_DSN"):
    MISSING["citus"] = "TEST_CITUS_DSN is not set"

FOLDER = pytest.StashKey[Path]()
SERVER_URL = pytest.StashKey[str]()
CLEANUP = pytest.StashKey[ExitStack]()
DESELECTED = pytest.StashKey[int]()


# --- the session ----------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Keep all that tests write in memory or, where there is none, inside the checkout; open the session's folder."""
    in_ci = bool(os.environ.get("CI"))
    settings.register_profile(
        "roundbook",
        deadline=None,  # two shared cores: the clock of a single example says nothing
        derandomize=in_ci,  # the same examples each time, and then Hypothesis keeps none
        print_blob=True,
        database=None if in_ci else DirectoryBasedExampleDatabase(CACHE / "hypothesis"),
    )
    settings.load_profile("roundbook")

    stack = config.stash[CLEANUP] = ExitStack()
    config.add_cleanup(stack.close)
    from_controller = getattr(config, "workerinput", {}).get("roundbook")
    if from_controller:
        config.stash[FOLDER] = Path(from_controller["folder"])
        config.stash[SERVER_URL] = from_controller["server_url"]
    else:
        config.stash[FOLDER] = _session_folder(_room(), stack)
    get_temp_dir()  # multiprocessing's own has to outlive the folder of the session
    scratch = config.stash[FOLDER] / "tmp"
    scratch.mkdir(exist_ok=True)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the one folder and the one server of the session to a worker of pytest-xdist."""
    config: pytest.Config = node.config
    node.workerinput["roundbook"] = {
        "folder": str(config.stash[FOLDER]),
        "server_url": _server_url(config),
    }


def _server_url(config: pytest.Config) -> str:
    """The session's PostgreSQL, started when it is first asked for."""
    if SERVER_URL not in config.stash:
        server = postgres_server(config.stash[FOLDER] / "postgres")
        config.stash[SERVER_URL] = config.stash[CLEANUP].enter_context(server)
    return config.stash[SERVER_URL]


def _room() -> Path:
    """Where the folders of sessions lie."""
    if MEMORY.parent.is_dir() and shutil.disk_usage(MEMORY.parent).free >= MEMORY_BYTES:
        return MEMORY
    return CACHE / "sessions"


def _session_folder(parent: Path, stack: ExitStack) -> Path:
    """Make a folder that is removed at the end, and remove those of sessions that were killed."""
    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.glob("*.lock"):
        _remove_if_stale(path)
    folder = parent / uuid4().hex[:12]
    lock_path = folder.with_suffix(".lock")
    lock = stack.enter_context(lock_path.open("w"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    stack.callback(lock_path.unlink, missing_ok=True)
    folder.mkdir()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_if_stale(lock_path: Path) -> None:
    try:
        # A fresh one may be about to be locked by its owner.
        if time.time() - lock_path.stat().st_mtime < STALE_AFTER_S:
            return
        with lock_path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
            lock_path.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        return


# --- what is collected, and what the report says of it ----------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its database, and leave out those whose input is not here."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        kind = callspec.params.get("_database_kind") if callspec else None
        if kind is not None:
            item.add_marker("postgres" if kind == "postgresql" else "sqlite")
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared_data")
    items[:] = [item for item in items if not any(item.get_closest_marker(mark) for mark in MISSING)]


def pytest_collection_finish() -> None:
    """What every test stands on is not looked through for garbage with each: a twelfth of their time went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    if items:
        stash = items[0].config.stash
        stash[DESELECTED] = stash.get(DESELECTED, 0) + len(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the controller of pytest-xdist, whose closing line knows nothing of it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["deselected"] = session.config.stash.get(DESELECTED, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    stash: pytest.Stash = node.config.stash
    # Every worker collects the same tests; one that crashed has no output.
    deselected = getattr(node, "workeroutput", {}).get("deselected", 0)
    stash[DESELECTED] = max(stash.get(DESELECTED, 0), deselected)


def pytest_report_header() -> list[str]:
    return [f"not collected: tests marked {mark}: {reason}" for mark, reason in MISSING.items()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests passed in each tier; .ci/run fails where one did not run."""
    passed = [report for report in terminalreporter.stats.get("passed", ()) if report.when == "call"]
    tiers = {"sqlite": "sqlite", "postgres": "postgresql", "shared_data": "shared_data", "citus": "citus"}
    counts = (f"{name} {sum(mark in report.keywords for report in passed)}" for mark, name in tiers.items())
    deselected = config.stash.get(DESELECTED, 0)
    terminalreporter.write_line(f"tiers: {', '.join(counts)}, deselected {deselected}")


# --- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Argon2id with its least parameters: in full, two for each person who signs in were a tenth of all the tests.

    `real_passwords` is what an office has; processes of their own have it too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher.from_parameters(CHEAPEST))
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how long it takes."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher.from_parameters(passwords.PARAMETERS))
    monkeypatch.setattr(passwords, "_DUMMIES", [])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real input. A test that takes this is marked shared_data by itself."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def citus_url() -> str:
    """A database with Citus, for tests that carry the mark citus. It is migrated, and townships are added to it."""
    return (
        make_url(os.environ["TEST_CITUS_DSN"])
        .set(drivername="postgresql+asyncpg")
        .render_as_string(hide_password=False)
    )


@pytest.fixture(scope="session")
def postgres_databases(pytestconfig: pytest.Config) -> Iterator[PostgresDatabases]:
    """For tests of PostgreSQL alone, which carry the mark postgres."""
    with start_blocking_portal() as portal:
        databases = PostgresDatabases(_server_url(pytestconfig), pytestconfig.stash[FOLDER], portal)
        yield databases
        databases.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def _database_kind(request: pytest.FixtureRequest) -> DatabaseKind:
    return cast("DatabaseKind", request.param)


@pytest.fixture(scope="module")
def _databases(_database_kind: DatabaseKind, request: pytest.FixtureRequest) -> Databases:
    if _database_kind == "sqlite":
        return SqliteDatabases(request.config.stash[FOLDER])
    return cast("Databases", request.getfixturevalue("postgres_databases"))


@pytest.fixture
def database_url(_databases: Databases) -> Iterator[str]:
    """A database at the newest schema, of this test alone: once on SQLite, once on PostgreSQL."""
    url = _databases.create(migrated=True)
    yield url
    _databases.drop(url)


@pytest.fixture(scope="module")
def module_database_url(_databases: Databases) -> Iterator[str]:
    """The same for all tests of a module, which leave alone what the others look at."""
    url = _databases.create(migrated=True)
    yield url
    _databases.drop(url)


@pytest.fixture
def fresh_database_url(_databases: Databases) -> Iterator[str]:
    """An empty database of this test alone, to migrate in the test."""
    url = _databases.create(migrated=False)
    yield url
    _databases.drop(url)
