"""`roundbook demo`: plays the round, shows what became of it, then goes on serving."""

import random
import secrets
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import typer

from client_sdk import OfficeClient, RoundbookError
from demo import account, inbox
from demo.clocks import ServerClock, at
from demo.exports import Exported, export
from demo.folder import DATABASE_FILE, fresh
from demo.further import Where, further
from demo.office import Office
from demo.people import Offices
from demo.place import Administrator, Links, Opened, Tokens
from demo.plan import TOWNSHIP, plan
from demo.progress import Progress, console
from demo.result import Result, Setting
from demo.serving import CLOCK_FILE, LOG_FILE, Server
from demo.show import show
from demo.story import Round
from server.commands import serve
from server.commands.opening import prepare_file, settings_of
from server.refused import RefusedError
from server.settings import Settings

HOST: Final = "127.0.0.1"
PORT: Final = 8000
FOLDER: Final = Path("data", "demo")


def run(
    *, seed: int, once: bool, data: Path | None = None, port: int | None = None, as_json: bool = False
) -> None:
    """One round. Ends with exit code 1 when a check fails."""
    began = time.monotonic()
    folder = (FOLDER if data is None else data).absolute()
    with fresh(folder):
        database = f"sqlite:///{folder / DATABASE_FILE}"
        # Without --port any will do for the round, so that two rounds never meet on one.
        settings = settings_of(folder, database, host=HOST, port=_port(port or 0), workers=1)
        prepare_file(settings)
        try:
            result, tokens, links, later = _play(settings, seed, port)
        except (RoundbookError, httpx2.HTTPError, TimeoutError) as error:
            message = f"The round of seed {seed} stopped: {error} (see {folder / LOG_FILE})"
            raise RefusedError(message) from error
        result = msgspec.structs.replace(result, seconds=round(time.monotonic() - began, 1))
        _tell(result, Where(folder, f"http://{HOST}:{later}", tokens, links, once), as_json=as_json)
        if not result.ok:
            raise typer.Exit(1)
        if not once:
            serve.serve(host=HOST, port=later, workers=1, data=folder, database=database)


def _tell(result: Result, where: Where, *, as_json: bool) -> None:
    """Prints what came out."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
    else:
        to = console(sys.stdout)
        show(result, to)
        further(result, where, to)
    sys.stdout.flush()


def _play(settings: Settings, seed: int, port: int | None) -> tuple[Result, Tokens, Links, int]:
    """The round: what came of it, tokens and links, and the port where the service is found after it."""
    with ServerClock(Path(settings.data) / CLOCK_FILE) as clock:
        clock.reach(at(0, 16))
        administrator = Administrator(settings, clock, random.Random(f"{seed} administrator").randbytes)
        with Progress().step(("导入村（社区）名单，开通元竹镇", "villages imported, township opened"), 1):
            opened = administrator.open()
            tokens, invited = administrator.tokens(), administrator.invite()
            administrator.take_over(invited, opened.grids)
        drawn = plan(seed, [row.grid for row in opened.grids])
        draw = random.Random(f"{seed} office").randbytes
        with (
            Server(settings, seed) as server,
            OfficeClient(server.url, token=tokens.hotline, random=draw, clock=clock) as hotline,
            Offices(server.url, invited, draw, clock) as people,
            Round(
                Office(hotline, people, drawn, clock), drawn, Path(settings.data), clock, server.url
            ) as told,
        ):
            told.open_stores()
            server.wait()
            people.open()
            told.play(administrator)
            result = _result(told, opened, administrator, export(server.url, tokens.check), settings)
            later = _port(PORT, 0) if port is None else port or settings.port
            told.set_server(f"http://{HOST}:{later}")
            links = Administrator(settings, _system_ms, secrets.token_bytes).links()
            return result, tokens, links, later


def _result(
    told: Round,
    opened: Opened,
    administrator: Administrator,
    exported: Sequence[Exported],
    settings: Settings,
) -> Result:
    """Asks the server, its database and every device."""
    ledger, client = account.read_ledger(settings.file), told.office.people["clerk"].at_work()
    cuts = {name: link.cuts_done for name, link in told.links.items()}
    found = inbox.differing(client)
    return Result(
        seed=told.plan.seed,
        setting=Setting(
            township=TOWNSHIP,
            name=opened.township_name,
            villages_imported=opened.villages_imported,
            villages=len({row.village for row in opened.grids}),
            grids=len(opened.grids),
            shared_texts=told.texts.shared,
        ),
        devices=tuple(account.device_result(device, cuts.get(device.name, 0)) for device in told.devices),
        office=account.office_counts(ledger),
        checks=(
            *account.checks(told.devices, ledger, exported, told.office.decided),
            account.audited(*administrator.entries()),
        ),
        differing=found,
        history=inbox.history(client, found.record) if found is not None else None,
    )


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


def _port(*wanted: int) -> int:
    """The first of these ports that nobody listens on; 0 stands for any."""
    for port in wanted:
        try:
            with socket.create_server((HOST, port)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    message = f"{HOST}:{wanted[0]} cannot be listened on: name another --port, or none."
    raise RefusedError(message)
