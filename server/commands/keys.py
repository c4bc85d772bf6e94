"""roundbook keys make, list, ensure."""

from pathlib import Path
from typing import Annotated

import typer

from server.commands import output
from server.commands.opening import Data, Database, Json, now_ms, on_database
from server.storage.keys import KeyRow
from server.vault import keyfile, service

keys = typer.Typer(no_args_is_help=True)


@keys.callback()
def about() -> None:
    """密钥：联系方式以此加密存放。 The keys under which contact is stored encrypted."""


@keys.command()
def make(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    as_json: Json = False,
) -> None:
    """生成主密钥文件。 Make a file with a new master key, for its owner only.

    A server on PostgreSQL is told of it by ROUNDBOOK_MASTER_KEY_FILE; an embedded server makes its own.

    Example: roundbook keys make /etc/roundbook/master.key
    """
    master_id = keyfile.make(file)
    if as_json:
        output.json({"file": str(file), "master_id": master_id})
        return
    output.say(f"{file} holds the master key {master_id}. 主密钥已生成。")
    output.hint(
        f"Name it to every process by ROUNDBOOK_MASTER_KEY_FILE={file.absolute()}, and keep a copy of it"
    )
    output.hint("in another place than the backups: without it nobody can read contact. 请另处保存一份。")


@keys.command("list")
def list_all(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """列出各乡镇的密钥。 List the keys of every township: when they were made, under which master key.

    Example: roundbook keys list
    """
    found = on_database(data, database, service.listed)
    if as_json:
        output.json([_plain(row) for row in found])
        return
    rows = [
        (
            row.township,
            row.purpose,
            row.number,
            row.wrapped.master_id,
            output.clock_time(row.made_ms),
            output.clock_time(row.retired_ms),
        )
        for row in found
    ]
    columns = (
        output.whole("township"),
        "for",
        output.number("n"),
        output.whole("master key"),
        "made",
        "retired",
    )
    output.table(columns, rows, empty="No township is open yet. 还没有开通乡镇。")


@keys.command()
def ensure(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """补齐各乡镇的密钥。 Make the keys of townships that have none; `roundbook serve` does so at its start.

    Example: roundbook keys ensure
    """
    made = on_database(data, database, lambda engine: service.ensure(engine, now_ms()))
    if as_json:
        output.json({"made": made})
        return
    output.say(f"Made the keys of {', '.join(made)}." if made else "Every township has its keys. 密钥齐全。")


def _plain(row: KeyRow) -> dict[str, object]:
    return {
        "township": row.township,
        "purpose": row.purpose,
        "number": row.number,
        "master_id": row.wrapped.master_id,
        "made": output.moment(row.made_ms),
        "retired": output.moment(row.retired_ms),
    }
