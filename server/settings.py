"""The settings: one frozen value, read once from the environment and the command line.

Each field has a variable of its own, `ROUNDBOOK_` and its name in capitals (`ROUNDBOOK_PORT`), and so has
each limit of the exchange (`ROUNDBOOK_CHANGES_MAX`) and of signing in (`ROUNDBOOK_SESSION_HOURS`). What the
command line says outranks the environment.
Worker processes get the value back from the environment that `environment` writes.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from server.refused import RefusedError
from server.sessions.limits import SignInLimits
from sync_protocol.limits import DEFAULTS, Limits

PREFIX: Final = "ROUNDBOOK_"
_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_TEXTS: Final = frozenset(
    {
        *("data", "database", "host", "certificate", "certificate_key", "proxies", "erasures"),
        *("master_key", "master_key_file"),
    }
)
_FILES: Final = ("certificate", "certificate_key", "master_key_file")
_RANGES: Final = {
    "port": (0, 65_535),
    "workers": (1, 256),
    "pool_size": (1, 1_000),
    "wait_s": (1, 3_600),
    "requests_max": (1, 100_000),
    "connections_max": (1, 100_000),
    "retry_after_s_max": (1, 60),
    "idle_s": (1, 60),
    "unread_s": (1, 3_600),
    "body_patience_s": (1, 3_600),
    "deadlines_s": (0, 3_600),
    "code_minutes": (1, 1_440),
    "lease_days": (0, 3_650),
    "failures_per_address": (1, 10**6),
    "failures_total": (1, 10**6),
    "contact_minutes": (1, 1_440),
    "contact_asks": (1, 10_000),
    "plain_http": (0, 1),
    "retention_minutes": (0, 10_080),
    "session_idle_minutes": (1, 1_440),
    "session_hours": (1, 720),
    "link_hours": (1, 720),
    "password_chars_min": (10, 100),
    "sign_in_failures": (1, 1_000),
    "sign_in_wait_s_max": (1, 86_400),
    "sign_in_failures_per_address": (1, 10**6),
}
_NESTED: Final = frozenset({"limits", "sign_in"})
_LIMIT_MAX: Final = 2**40
_PARAMETERS: Final = frozenset(
    {"ssl", "sslmode", "prepared_statement_cache_size", "target_session_attrs", "host"}
)
"""What may follow the ? of a PostgreSQL URL. A cache of 0 is for poolers in transaction mode; `host=HOST:PORT`,
once for each, names a primary and its standbys (docs/chaos.md)."""
_FORMS: Final = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


class Settings(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Everything that an operator can choose. Sizes in bytes, times in the unit of their names."""

    data: str = "data"
    """The data folder: the embedded database and what belongs to it."""
    database: str = ""
    """A URL with an asynchronous driver; it may hold a password, so show it with `shown_database` only."""
    master_key: str = ""
    """Master keys in base64, parted by spaces, the one in use first: never shown."""
    master_key_file: str = ""
    """A file with them. Without either, an embedded server has `master.key` beside its database."""
    host: str = "127.0.0.1"
    port: int = 8000
    certificate: str = ""
    """A PEM file: the server's certificate, then those between it and its authority. With it, TLS is spoken."""
    certificate_key: str = ""
    """The PEM file of its private key, without a passphrase."""
    proxies: str = ""
    """Addresses and networks of proxies that end TLS before this server, with commas. Only they are believed
    what they say of a request's origin (`X-Forwarded-For`, `X-Forwarded-Proto`)."""
    plain_http: bool = False
    """Whether others than this machine may speak plain HTTP: where the network itself is encrypted."""
    workers: int = 1
    pool_size: int = 8
    """Database connections of one worker process."""
    wait_s: int = 15
    """How long a request waits for one of them, before it is sent away with 503."""
    requests_max: int = 128
    """Requests that one worker process works on at once; the next is sent away with 503 before its body is read.

    A process answers 50 to 150 syncs a second, so the last of them waits for a second or two, less than a device
    would wait after being sent away. One township alone may have half of them (admission.py)."""
    bodies_bytes_max: int = 64 * 2**20
    """Bytes of bodies, as they travelled and decompressed, that one worker process holds at once.

    As objects of Python they take about five times that, for as long as they are worked on."""
    retry_after_s_max: int = 20
    """The longest pause that those sent away are asked for; each is told another, so that they spread."""
    connections_max: int = 1_024
    """Connections of one worker process; the next one waits in the backlog of the operating system."""
    idle_s: int = 10
    """How long a connection may be silent before the head of its next request is whole."""
    unread_s: int = 60
    """How long a caller may read nothing of an answer, or be gone without a word, before its connection is closed."""
    body_patience_s: int = 20
    """How long a body may take; each `body_bytes_per_s` bytes that have come lengthen it by a second."""
    body_bytes_per_s: int = 500
    """The slowest link that is waited for: an eighth of what a bad 2G link carries."""
    deadlines_s: int = 20
    """How often each process looks whether deadlines are to be reckoned or told; 0 leaves it to
    `roundbook deadlines run`."""
    code_minutes: int = 10
    """How long a one-time code for a device is valid."""
    lease_days: int = 30
    """How long the store of a device stays open without a contact with the server; 0: for ever."""
    failures_per_address: int = 20
    """Wrong one-time codes that one address may send in a minute, to one worker process."""
    failures_total: int = 120
    """The same for all addresses together."""
    erasures: str = ""
    """The list of erasures, outside the database: a file that a restore of it does not take back. All processes
    and machines of a server append to one; by default it is `erasures.jsonl` in the data folder."""
    retention_minutes: int = 60
    """How often each township is looked through for what has been kept long enough; 0 leaves it to the command."""
    contact_minutes: int = 10
    """How long contact in full may be shown after a reason was stated."""
    contact_asks: int = 30
    """How often a person may ask for contact in a minute, of one worker process."""
    limits: Limits = DEFAULTS
    sign_in: SignInLimits = SignInLimits()

    def __repr__(self) -> str:
        return f"Settings(data={self.data!r}, database={shown_database(self)!r}, port={self.port})"

    @property
    def embedded(self) -> bool:
        """Whether the database is a file of this server's own."""
        return self.database.startswith("sqlite")

    @property
    def file(self) -> Path:
        """The embedded database's file; raises RefusedError when there is none."""
        path = make_url(self.database).database if self.embedded else None
        if path is None:
            message = "This works on an embedded database only, and the settings name a PostgreSQL."
            raise RefusedError(message)
        return Path(path)


def read(environ: Mapping[str, str], **options: Any) -> Settings:
    """The settings of an environment, with `options` that are not None above it.

    Without a database it is SQLite in the file `roundbook.db` of the data folder. Raises RefusedError that
    names the variable or option, what it takes and what came.
    """
    given: dict[str, Any] = _from_environment(environ, Settings)
    given.update((name, value) for name, value in options.items() if value is not None)
    limits, sign_in = _from_environment(environ, Limits), _from_environment(environ, SignInLimits)
    for name, value in (given | limits | sign_in).items():
        low, high = _RANGES.get(name, (1, _LIMIT_MAX))
        if name not in _TEXTS and not (
            str(value).isascii() and str(value).isdigit() and low <= int(value) <= high
        ):
            message = (
                f"{PREFIX}{name.upper()} takes a whole number from {low} to {high}, got {str(value)[:40]!r}."
            )
            raise RefusedError(message)
    settings = msgspec.convert({**given, "limits": limits, "sign_in": sign_in}, Settings, strict=False)
    _require_transport(settings)
    folder = Path(settings.data).expanduser().absolute()
    files = {name: _absolute(getattr(settings, name)) for name in _FILES}
    default = URL.create("sqlite", database=str(folder / "roundbook.db"))
    return msgspec.structs.replace(
        settings,
        data=str(folder),
        database=async_url(settings.database or default),
        erasures=_absolute(settings.erasures) or str(folder / "erasures.jsonl"),
        **files,
    )


def environment(settings: Settings) -> dict[str, str]:
    """The variables from which `read` makes the same settings in another process."""
    plain = {name: getattr(settings, name) for name in Settings.__struct_fields__ if name not in _NESTED}
    nested = msgspec.structs.asdict(settings.limits) | msgspec.structs.asdict(settings.sign_in)
    texts = {name: str(int(value) if isinstance(value, bool) else value) for name, value in plain.items()}
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in (texts | nested).items()}


def async_url(database: str | URL) -> str:
    """A database URL with the driver that Roundbook uses; raises RefusedError for what it cannot use."""
    try:
        url = make_url(database)
    except (ArgumentError, ValueError) as error:
        # The text is not shown: what was mistyped may hold a password.
        message = f"The database is named by a URL such as {_FORMS}."
        raise RefusedError(message) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        message = f"Data is kept in SQLite or PostgreSQL, not in {url.drivername}: write {_FORMS}."
        raise RefusedError(message)
    url = url.set(drivername=driver)
    return (_file_url(url) if driver.startswith("sqlite") else _server_url(url)).render_as_string(
        hide_password=False
    )


def shown_database(settings: Settings) -> str:
    """The database's URL for people: without driver, password and parameters."""
    url = make_url(settings.database)
    if settings.embedded:
        return str(url.database)
    plain = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    hosts = ",".join(_hosts(url))
    return plain.replace("@/", f"@{hosts}/", 1) if hosts else plain


def _file_url(url: URL) -> URL:
    if url.database in {None, "", ":memory:"}:
        message = "An embedded database is a file, because several processes share it: write sqlite:///FILE."
        raise RefusedError(message)
    return url.set(database=str(Path(str(url.database)).expanduser().absolute()))


def _server_url(url: URL) -> URL:
    if not url.database:
        message = "The PostgreSQL URL names no database: end it with /DATABASE."
        raise RefusedError(message)
    unknown = sorted(set(url.query) - _PARAMETERS)
    if unknown:
        # Its value is not shown: it may be a password.
        known = ", ".join(sorted(_PARAMETERS))
        message = f"The PostgreSQL URL has the parameter {unknown[0][:20]!r}; known are {known}."
        raise RefusedError(message)
    hosts = _hosts(url)
    if hosts and (url.host or not all(host.rpartition(":")[2].isdigit() for host in hosts)):
        message = (
            "Several PostgreSQL hosts are named after the ?, each with its port: "
            "postgresql://USER:PASSWORD@/DATABASE?host=ONE:5432&host=TWO:5432"
        )
        raise RefusedError(message)
    if hosts and "target_session_attrs" not in url.query:
        # Of a primary and its standbys, whichever takes writes now.
        url = url.update_query_dict({"target_session_attrs": "read-write"})
    mode = url.query.get("sslmode")
    # libpq's word, which people copy from elsewhere; asyncpg calls it ssl.
    return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode}) if mode else url


def _hosts(url: URL) -> tuple[str, ...]:
    """The hosts that are named as parameters, each with its port."""
    named = url.query.get("host", ())
    return (named,) if isinstance(named, str) else named


def _require_transport(settings: Settings) -> None:
    if bool(settings.certificate) != bool(settings.certificate_key):
        message = (
            "A certificate and its key go together: name both, with --certificate and --certificate-key."
        )
        raise RefusedError(message)
    for named in filter(None, settings.proxies.split(",")):
        try:
            network = ipaddress.ip_network(named.strip())
        except ValueError:
            network = None
        if network is None or not network.prefixlen:
            message = f"{PREFIX}PROXIES takes addresses or networks, such as 10.0.0.7,10.1.0.0/24, got {named[:40]!r}."
            raise RefusedError(message)


def _absolute(file: str) -> str:
    return str(Path(file).expanduser().absolute()) if file else ""


def _from_environment(environ: Mapping[str, str], struct: type[msgspec.Struct]) -> dict[str, Any]:
    found = {name: environ.get(f"{PREFIX}{name.upper()}", "").strip() for name in struct.__struct_fields__}
    return {name: value for name, value in found.items() if value}
