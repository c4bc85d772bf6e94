"""Opens the device's store for a command, and finds the record that a person named."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from client_sdk import key_ring
from client_sdk.field import FieldClient
from client_sdk.record import Record
from sync_protocol.errors import NotFound, WrongPassphrase
from sync_protocol.ids import is_id
from sync_protocol.kinds import Kind

VARIABLE: Final = "ROUNDBOOK_PASSPHRASE"
AsJson = Annotated[bool, typer.Option("--json", help="给程序用 JSON for programs.", show_default=False)]
Given = Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="栏目=内容")]
Named = Annotated[str, typer.Argument(metavar="RECORD", help="编号、短码或 id: a number, short code or id.")]


@contextmanager
def opened(context: typer.Context, *, to_sync: bool = False) -> Iterator[FieldClient]:
    """The device of `--store`, opened by its passphrase (see below). `to_sync`: see FieldClient.open."""
    store: Path = context.obj
    try:
        device = FieldClient.open(store, passphrase=passphrase(store), to_sync=to_sync)
    except WrongPassphrase:
        if os.environ.get(VARIABLE) or key_ring.remembered(store) is None:
            raise
        # The passphrase was changed since the key ring has kept it.
        device = FieldClient.open(store, passphrase=asked(), to_sync=to_sync)
    with device:
        yield device


def passphrase(store: Path) -> str:
    """The store's passphrase: from the environment, else from the platform's key ring, else asked for."""
    return os.environ.get(VARIABLE) or key_ring.remembered(store) or asked()


def asked() -> str:
    """The passphrase that somebody types."""
    return str(typer.prompt("口令 Passphrase", hide_input=True, err=True))


def kind_of(device: FieldClient, name: str) -> Kind:
    """A kind by its name; raises NotFound, which lists those that there are."""
    found = next((kind for kind in device.kinds() if kind.name == name), None)
    if found is None:
        listed = ", ".join(kind.name for kind in device.kinds())
        message = f"没有这种表单 / there is no kind {name}; there are: {listed}"
        raise NotFound(message)
    return found


def find(device: FieldClient, named: str) -> Record:
    """A record by its id, its number, or the end of its id."""
    if is_id(named):
        return device.get(named)
    found = [one for one in device.list() if one.number == named or one.id.endswith(named)]
    if len(found) != 1:
        message = f"有 {len(found)} 条符合，请写完整编号 / {len(found)} records are called {named}: give the whole id"
        raise NotFound(message)
    return found[0]
