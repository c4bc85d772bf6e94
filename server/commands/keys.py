"""roundbook keys make, list, ensure, rotate, seal."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import (
    Data,
    Database,
    Json,
    make_ready,
    now_ms,
    on_database,
    settings_of,
    with_engine,
)
from server.commands.sealing import resealed, seal_stored
from server.refused import RefusedError
from server.settings import Settings
from server.storage.keys import KeyRow
from server.vault import keyfile, service
from server.vault.keeping import LIFETIME_S

keys = typer.Typer(no_args_is_help=True)
Township = Annotated[
    str | None,
    typer.Option("--township", metavar="CODE", help="Only this one. 只限这个乡镇。", show_default=False),
]


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


@keys.command()
def rotate(
    *,
    township: Township = None,
    wait: Annotated[
        int, typer.Option(help="Seconds until every server process has read the new data key.")
    ] = 2 * LIFETIME_S,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """更换密钥。 Replace the master key, or with --township the data key of a township, while servers run.

    A new master key is put first in the file of the old one, which stays for older backups; a first key that is
    not in use yet is taken instead. A new data key seals at once, and what lies under older ones is sealed anew.

    Example: roundbook keys rotate --township 321283104
    """
    settings = settings_of(data, database)
    make_ready(settings)
    if township is not None:
        _rotate_data_key(settings, township, wait, as_json=as_json)
        return
    if with_engine(settings, service.is_first):
        file = keyfile.place(settings)
        if file is None:
            message = (
                "ROUNDBOOK_MASTER_KEY holds the master key, so put a new one before it, parted by a space "
                "(`roundbook keys make FILE` makes one), start every server with both, and run this again."
            )
            raise RefusedError(message)
        keyfile.put_first(file)
    count = with_engine(settings, lambda engine: service.rewrap(engine, now_ms()))
    master_id = keyfile.master(settings).ids[0]
    if as_json:
        output.json({"master_id": master_id, "keys": count})
        return
    output.say(f"{count:,} keys are under the master key {master_id} now. 主密钥已更换。")
    output.hint("Keep a copy of the new master key. The old one stays behind it, for backups made before.")


def _rotate_data_key(settings: Settings, township: str, wait_s: int, *, as_json: bool) -> None:
    async def work(engine: AsyncEngine) -> tuple[int, int]:
        number = await service.new_data_key(engine, township, now_ms())
        if not as_json:
            output.hint(
                f"Data key {number} is made. Waiting {wait_s} s until every server process has read it."
            )
        await asyncio.sleep(wait_s)
        rows = await resealed(engine, township, quiet=as_json)
        await service.retire(engine, township, number, now_ms())
        return number, rows

    number, rows = with_engine(settings, work)
    if as_json:
        output.json({"township": township, "number": number, "rows": rows})
        return
    output.say(
        f"{township} seals under its data key {number} now; {rows:,} rows were gone through. 数据密钥已更换。"
    )


@keys.command()
def seal(
    *, township: Township = None, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """加密以前存放的联系方式。 Seal the contact that was stored before there were keys, while servers run.

    Also fills the index by which a telephone number is found. May be stopped and repeated. An embedded database is
    sealed by itself when it is upgraded, and its file is written anew, so that nothing old is left in it.

    Example: roundbook keys seal
    """

    async def work(engine: AsyncEngine) -> dict[str, int]:
        await service.ensure(engine, now_ms())
        return await seal_stored(engine, township, quiet=as_json)

    done = on_database(data, database, work)
    if as_json:
        output.json([{"township": code, "rows": rows} for code, rows in done.items()])
        return
    rows = [(code, count) for code, count in done.items()]
    output.table((output.whole("township"), output.number("rows")), rows, empty="No township is open yet.")


def _plain(row: KeyRow) -> dict[str, object]:
    return {
        "township": row.township,
        "purpose": row.purpose,
        "number": row.number,
        "master_id": row.wrapped.master_id,
        "made": output.moment(row.made_ms),
        "retired": output.moment(row.retired_ms),
    }
