"""`roundbook`: every command of the server, and the one place that turns an error into a sentence.

A command exits with 0, or says in one sentence what is wrong and what to do: 1 when what was asked for could
not be done, 2 when the command line itself cannot be understood.
"""

import importlib.util
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import DBAPIError

from server.commands import database, output, rescue, serve
from server.commands.application import application
from server.commands.audit import audit
from server.commands.deadlines import deadlines
from server.commands.device import device
from server.commands.directory import directory, township
from server.commands.erasures import erasures
from server.commands.keys import keys
from server.commands.kinds import kinds
from server.commands.matter import matter
from server.commands.opening import Json
from server.commands.recovery import recover, recovery
from server.commands.retention import retention
from server.commands.staff import staff
from server.files import SQLITE
from server.refused import RefusedError
from server.storage.engine import Unavailable

app = typer.Typer(
    name="roundbook",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def about() -> None:
    """Roundbook 巡记: field records that are made offline, merged in one place."""


app.command()(serve.serve)


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option(help="Another seed, another round.")] = 1,
    once: Annotated[bool, typer.Option("--once", help="End after the table.", show_default=False)] = False,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Made anew each time. [default: data/demo]", show_default=False),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="[default: 8000 if it is free, else any]", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Play a village round against a fresh server.

    Shows what became of it, then goes on serving. A check that fails ends it with exit code 1.

    Example: roundbook demo --seed 3 --once
    """
    if importlib.util.find_spec("demo") is None:
        message = "The demo is not part of this installation: run it from a checkout of the project."
        raise RefusedError(message)
    import_module("demo.cli").run(seed=seed, once=once, data=data, port=port, as_json=as_json)


app.command()(database.migrate)
app.add_typer(directory, name="directory")
app.add_typer(township, name="township")
app.add_typer(kinds, name="kinds")
app.add_typer(staff, name="staff")
app.add_typer(device, name="device")
app.add_typer(application, name="application")
app.add_typer(deadlines, name="deadlines")
app.add_typer(audit, name="audit")
app.add_typer(matter, name="matter")
app.add_typer(retention, name="retention")
app.add_typer(erasures, name="erasures")
app.add_typer(keys, name="keys")
device.command()(recover)
app.add_typer(recovery, name="recovery")
app.command()(rescue.answer)
app.command()(database.doctor)
app.command()(database.backup)
app.command()(database.restore)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command line and exits."""
    try:
        sys.exit(app(arguments, prog_name="roundbook", standalone_mode=False) or 0)
    except typer.TyperException as error:
        text = error.format_message()
        # Asked for nothing: the help is the answer.
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.exit(0)
        output.fail(f"{text.rstrip('.')}: see `{_path(error)} --help`.")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        output.fail(_sentence(error))
        if os.environ.get("ROUNDBOOK_DEBUG"):
            raise
        sys.exit(1)


def _path(error: typer.TyperException) -> str:
    """The command that could not be understood."""
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "roundbook"


def _sentence(error: Exception) -> str:
    """What went wrong for people. A driver's own text may hold what nobody should see, and is left out."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, Unavailable | ConnectionError):
        return "The database does not answer or is too busy: see `roundbook doctor`, and try again."
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
        return _DRIVER.get(str(code), f"The database refused this ({code or type(error).__name__}): {_SEE}")
    return f"This failed ({type(error).__name__}): {_SEE}"


_SEE = "see `roundbook doctor`; ROUNDBOOK_DEBUG=1 shows where."
_DRIVER = {
    "28P01": "PostgreSQL refuses the user or the password: correct the database's URL.",
    "28000": "PostgreSQL does not let this user in from here: see its pg_hba.conf.",
    "3D000": "PostgreSQL has no database of this name: make it with createdb, then `roundbook migrate`.",
    "42501": "The role may not do this: give it rights on the database, or use the one that owns it.",
    "53300": "PostgreSQL has no connection left: lower ROUNDBOOK_POOL_SIZE, or raise its max_connections.",
    **SQLITE,
}
