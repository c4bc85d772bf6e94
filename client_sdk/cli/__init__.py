"""`roundbook-device`: a device on the command line. All but `enrol` and `sync` work without a network."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from client_sdk.cli import device, output, records
from sync_protocol.errors import RoundbookError

app = typer.Typer(
    name="roundbook-device",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(device.commands)
app.add_typer(records.commands)
StorePath = Annotated[
    Path, typer.Option("--store", envvar="ROUNDBOOK_STORE", help="数据文件 The device's encrypted file.")
]


@app.callback()
def about(context: typer.Context, store: StorePath = Path("worker.rbk")) -> None:
    """Roundbook 巡记: a grid worker's device 离线填报，有信号时同步.

    The passphrase is read from ROUNDBOOK_PASSPHRASE, else from the platform's key ring, else asked for.
    """
    context.obj = store


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command line and exits: 1 when it could not be done, 2 when it could not be understood."""
    try:
        sys.exit(app(arguments, prog_name="roundbook-device", standalone_mode=False) or 0)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # asked for nothing: the help is the answer
            sys.exit(0)
        output.say(f"{error.format_message()} (roundbook-device --help)", error=True)
        sys.exit(2)
    except RoundbookError as error:
        output.say(str(error), error=True)
        sys.exit(1)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
