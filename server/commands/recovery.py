"""roundbook recovery list, export, renew, take-in; roundbook device recover."""

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import (
    Data,
    Database,
    Json,
    now_ms,
    on_database,
    random,
    settings_of,
    write_for_own_user,
)
from server.files import read_file
from server.quarantine.sealed import replay_sealed
from server.quarantine.waiting import TakenIn
from server.recovery import handing, opening, service, stored
from server.recovery.handing import Handed
from server.recovery.opening import Sealed
from server.recovery.service import Halves
from server.refused import RefusedError
from server.services import open_services
from server.storage.recovery import RecoveryKey
from sync_protocol.signing import encode_bytes

recovery = typer.Typer(no_args_is_help=True)
Township = Annotated[str, typer.Option("--township", metavar="CODE", show_default=False)]
_NEW: Final = "ROUNDBOOK_NEW_PASSPHRASE"


@recovery.callback()
def about() -> None:
    """恢复密钥：设备忘了口令、久未联系时由镇里打开。 The keys with which a township opens a device's store."""


@recovery.command("list")
def list_all(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """列出恢复密钥。 List the recovery keys: the last one of a township is in use.

    Example: roundbook recovery list
    """
    found = on_database(data, database, service.listed)
    if as_json:
        output.json([_plain(row) for row in found])
        return
    rows = [
        (row.township, output.clock_time(row.made_ms), _where(row), encode_bytes(row.public_key))
        for row in found
    ]
    columns = ("township", "made", "private half", output.whole("public half"))
    output.table(columns, rows, empty="No recovery key yet: the first start of the server makes them.")


@recovery.command()
def export(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    township: Township,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Remove it from this server: the file is the only one.", show_default=False
        ),
    ] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """导出恢复密钥。 Write a township's recovery key to a file, to be kept apart from the server.

    With --offline this server cannot open a device any more: every recovery needs the file.

    Example: roundbook recovery export recovery-321283104.key --township 321283104 --offline
    """

    async def read(engine: AsyncEngine) -> Halves:
        return await service.halves(engine, township)

    _create(file, service.written(on_database(data, database, read)))
    on_database(
        data, database, lambda engine: service.noted(engine, township, offline=offline, now_ms=now_ms())
    )
    if as_json:
        output.json({"file": str(file), "township": township, "offline": offline})
        return
    output.say(f"{file} holds the recovery key of {township}. 恢复密钥已导出。")
    if offline:
        output.hint("It is the only one. Keep two copies in two places that are locked. 请分两处锁好。")


@recovery.command("take-in")
def take_in(
    *,
    township: Township,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The office's own key file.", show_default=False),
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """补录封存内容。 Take in what devices offered sealed to a restored server, and what waits in quarantine since.

    Doing it twice does no harm.

    Example: roundbook recovery take-in --township 321283104 --key recovery.key
    """
    settings = settings_of(data, database)
    given = None if key is None else service.read(read_file(key), key.name)

    async def work(engine: AsyncEngine) -> TakenIn:
        private = given if given is not None else await service.halves(engine, township)
        services = msgspec.structs.replace(open_services(settings, engine), recovery=private.keys)
        await services.registry.refresh()
        return await replay_sealed(services, township)

    done = on_database(data, database, work)
    if as_json:
        output.json(done)
        return
    output.say(f"{done.taken} changes are taken in, {done.waiting} wait. 已补录 {done.taken} 条。")


@recovery.command()
def renew(*, township: Township, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """更换恢复密钥。 Make another recovery key; devices seal to it from their next sync on.

    Former keys are kept: a device that has not synced since is sealed to one of them.

    Example: roundbook recovery renew --township 321283104
    """
    made = on_database(data, database, lambda engine: service.renew(engine, township, now_ms=now_ms()))
    if as_json:
        output.json(_plain(made))
    else:
        output.say(f"{township} has a new recovery key. 已更换恢复密钥，设备下次同步后生效。")
        output.hint(
            "Back up the database now, or export the key: older backups do not have it. 请立即备份或导出。"
        )


def recover(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="worker.rbk", show_default=False)],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The office's own key file.", show_default=False),
    ] = None,
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help=f"Set another passphrase instead [{_NEW}, else asked].",
            show_default=False,
        ),
    ] = False,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """恢复设备内容。 Open a device's store without its passphrase, and take in what it had not sent.

    FILE is the store as it was taken from the device, with its .key file beside it; nothing is changed in it. Doing
    it twice does no harm. With --passphrase nothing is taken in: the .key file is written anew, so that the worker
    opens the store by that passphrase, and syncs.

    Example: roundbook device recover /media/usb/worker.rbk

    Example: roundbook device recover /media/usb/worker.rbk --passphrase --key recovery-321283104.key
    """
    if passphrase and len(files) != 1:
        message = "A passphrase is of one store: name one FILE with --passphrase."
        raise RefusedError(message)
    settings = settings_of(data, database)
    given = None if key is None else service.read(read_file(key), key.name)
    new = _new_passphrase() if passphrase else None

    async def work(engine: AsyncEngine) -> list[Handed]:
        services = open_services(settings, engine)
        await services.registry.refresh()
        done: list[Handed] = []
        for file in files:
            sealed, opened = await _open(engine, file, given)
            unsent = stored.read(file, opened)
            if new is None:
                done.append(await handing.hand_in(services, unsent))
            else:
                await handing.note_passphrase(services, unsent)
                _replace(_key_file(file), opening.with_passphrase(sealed, opened, new, random))
        return done

    handed = on_database(data, database, work)
    if as_json:
        output.json(handed if new is None else {"file": str(files[0]), "passphrase": "set"})
    elif new is not None:
        output.say(f"{files[0]} opens by the new passphrase; a sync comes next. 新口令已设好，请同步一次。")
    else:
        rows = [(one.device, one.sent, one.duplicates, one.quarantined) for one in handed]
        columns = (output.whole("device"), *map(output.number, ("taken in", "known before", "in quarantine")))
        output.table(columns, rows)


async def _open(engine: AsyncEngine, file: Path, given: Halves | None) -> tuple[Sealed, bytes]:
    """The key file of a store, and the store's key out of it."""
    place = _key_file(file)
    sealed = opening.read(read_file(place), place.name)
    private = given if given is not None else await service.halves(engine, sealed.township)
    return sealed, opening.unseal(sealed, private)


def _key_file(store: Path) -> Path:
    return store.with_name(f"{store.name}.key")


def _new_passphrase() -> str:
    return os.environ.get(_NEW) or str(
        typer.prompt("新口令 New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    )


def _create(file: Path, content: bytes) -> None:
    """A new file for its owner only; a key is never written over."""
    write_for_own_user()
    try:
        with file.open("xb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
    except FileExistsError as error:
        message = f"{file} exists already, and a key is never written over: name another file."
        raise RefusedError(message) from error
    except OSError as error:
        message = f"{file} could not be written: {(error.strerror or 'the system refuses').lower()}."
        raise RefusedError(message) from error


def _replace(file: Path, content: bytes) -> None:
    """Writes a key file anew, whole or not at all."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    _create(fresh, content)
    fresh.replace(file)


def _where(row: RecoveryKey) -> str:
    return "here" if row.offline_ms is None else f"with the office since {output.day(row.offline_ms)}"


def _plain(row: RecoveryKey) -> dict[str, object]:
    return {
        "township": row.township,
        "public_key": encode_bytes(row.public_key),
        "made_at": output.moment(row.made_ms),
        "offline_since": output.moment(row.offline_ms),
    }
