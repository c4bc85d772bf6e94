"""roundbook serve."""

import contextlib
import http.client
import os
import socket
import ssl
import time
from pathlib import Path
from threading import Thread
from typing import Annotated, Final

import typer
from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels

from server.addresses import require_private
from server.certificates import require_pair
from server.commands import output
from server.commands.first_link import first_administrator
from server.commands.opening import (
    Data,
    Database,
    add_shipped_kinds,
    ensure_keys,
    make_ready,
    settings_of,
    with_engine,
)
from server.refused import RefusedError
from server.sessions.links import PATH
from server.settings import Settings, environment, shown_database
from server.sockets import make_room
from server.starting import TARGET
from server.storage.engine import Unavailable

_ASK_S: Final = 0.1
_HEAD_BYTES_MAX: Final = 64 * 2**10
"""Of a request's head, and of what a connection may have waiting unread: a head of ours has 500."""


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="[default: 127.0.0.1]", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="0 takes a free one. [default: 8000]", show_default=False)
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. [default: 1]", show_default=False)] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM; with it, TLS is spoken.", show_default=False),
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM, its private key.", show_default=False)
    ] = None,
    proxies: Annotated[
        str | None,
        typer.Option(metavar="ADDRESSES", help="Of proxies that end TLS, with commas.", show_default=False),
    ] = None,
    data: Data = None,
    database: Database = None,
) -> None:
    """Serve devices, applications and the console.

    An embedded database is made and migrated by itself, and so is its master key; a PostgreSQL has to be migrated
    before, and needs a master key (`roundbook keys make`). Others than
    this machine are served with TLS only, unless ROUNDBOOK_PLAIN_HTTP=1 says otherwise.

    Example: roundbook serve --host 0.0.0.0 --certificate server.pem --certificate-key server.key
    """
    chosen = {"host": host, "port": port, "workers": workers, "proxies": proxies}
    files = {"certificate": certificate, "certificate_key": certificate_key}
    given = {name: None if file is None else str(file) for name, file in files.items()}
    settings = settings_of(data, database, **chosen, **given)
    require_private(settings)
    require_pair(settings)
    make_ready(settings)
    add_shipped_kinds(settings)
    ensure_keys(settings)
    found = _free_port(settings)
    os.environ.update(environment(settings))
    make_room(settings.connections_max)
    server = Granian(
        TARGET,
        address=settings.host,
        port=found,
        workers=settings.workers,
        interface=Interfaces.ASGI,
        factory=True,
        # Bounds are kept for each connection, so a connection carries one request at a time.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=settings.idle_s * 1_000, max_buffer_size=_HEAD_BYTES_MAX
        ),
        backpressure=settings.connections_max,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        ssl_cert=Path(settings.certificate) if settings.certificate else None,
        ssl_key=Path(settings.certificate_key) if settings.certificate else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    # Granian says nothing when its workers answer, so a thread asks until they do.
    server.on_startup(Thread(target=_greet, args=(settings, found), daemon=True).start)
    server.serve()


def _greet(settings: Settings, port: int) -> None:
    """Says where the server is once it answers: who waits for the line may connect after it."""
    where = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.certificate else "http"
    asked = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(where, where)  # noqa: S104 (it is asked, not bound)
    while True:
        with contextlib.suppress(OSError):
            connection = _connection(asked, port, encrypted=bool(settings.certificate))
            connection.request("GET", "/v1/health/live")
            connection.getresponse()
            break
        time.sleep(_ASK_S)
    processes = "1 process" if settings.workers == 1 else f"{settings.workers} processes"
    output.say(f"Roundbook serves at {scheme}://{where}:{port} ({processes}, {shown_database(settings)}).")
    output.hint("Ctrl+C stops it.")
    _invite(settings, f"{scheme}://{where}:{port}")


def _invite(settings: Settings, address: str) -> None:
    """Prints the one-time link of the first administrator, as long as there is none."""
    try:
        invited = with_engine(settings, lambda engine: first_administrator(settings, engine))
    except Unavailable:
        return  # the next start, or `roundbook staff link`, makes one
    if invited is None:
        return
    person, secret = invited
    hours = settings.sign_in.link_hours
    output.hint(
        f"Nobody administers this server yet. For {person.name} of {person.township}, shown this once,"
    )
    output.hint(f"valid for {hours} hours (a new one: `roundbook staff link --name {person.name}`):")
    typer.echo(f"{address}{PATH}{secret}")


def _connection(host: str, port: int, *, encrypted: bool) -> http.client.HTTPConnection:
    """To this server itself, to see whether it lives: its certificate may name any other address."""
    if not encrypted:
        return http.client.HTTPConnection(host, port, timeout=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=1, context=context)


def _free_port(settings: Settings) -> int:
    """The port that is listened on; raises RefusedError when something else listens there."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{settings.host}:{settings.port} cannot be listened on ({reason}): choose another --port or --host."
        raise RefusedError(message) from error
