"""roundbook device code, list, revoke, grids."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import Data, Database, Json, now_ms, on_database, random, settings_of
from server.devices import invitation, service
from server.devices.service import NewCode
from server.refused import RefusedError
from server.storage.devices import DeviceRow
from sync_protocol.clock import LINK_MS
from sync_protocol.invitation import Invitation
from sync_protocol.lease import DAY_MS

device = typer.Typer(no_args_is_help=True)
_MINUTE_MS = 60_000
_DAY_S = 86_400
Grids = Annotated[
    list[str], typer.Option("--grid", metavar="CODE", help="15 digits; may be repeated.", show_default=False)
]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False)]


@device.callback()
def about() -> None:
    """The devices of grid workers."""


@device.command()
def code(
    *,
    worker: Annotated[str, typer.Option(metavar="NAME|ID", show_default=False)],
    grid: Grids,
    qr: Annotated[
        bool, typer.Option("--qr", help="Show it as a QR code as well.", show_default=False)
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--qr-file", metavar="FILE", help="Save the QR code: .svg or .png.", show_default=False),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="ROUNDBOOK_URL",
            help="The server's address, for the QR code.",
            show_default=False,
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca",
            metavar="FILE",
            help="The authority that devices pin, in PEM, for the QR code.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a one-time code that enrols one device of a grid worker. It is shown once.

    Example: roundbook device code --worker 王芳 --grid 321283104203001 --grid 321283104203002

    Example: roundbook device code --worker 王芳 --grid 321283104203001 --qr --url https://roundbook.example
    """
    invite = _inviting(url, ca, picture) if qr or picture is not None else None
    lifetime_ms = settings_of(data, database).code_minutes * _MINUTE_MS

    async def work(engine: AsyncEngine) -> NewCode:
        return await service.give_code(
            engine, worker, grid, lifetime_ms=lifetime_ms, now_ms=now_ms(), random=random
        )

    made = on_database(data, database, work)
    invited = invite(made.code) if invite is not None else None
    if as_json:
        output.json(_code(made) | ({"invitation": invited.text} if invited is not None else {}))
    else:
        output.facts(
            (
                ("code", made.code),
                ("valid until", f"{output.clock_time(made.expires_ms)}, for one device"),
                ("worker", made.worker.name),
                ("grids", ", ".join(made.grids)),
            )
        )
        if invited is not None and qr:
            output.block(invitation.shown(invited))
    if invited is not None and picture is not None:
        invitation.save(invited, picture)


def _inviting(url: str | None, ca: Path | None, picture: Path | None) -> Callable[[str], Invitation]:
    """What makes the QR code's text of a code. What is wrong with it is said before a code is used up."""
    if url is None:
        message = "A QR code says where the server is: name its address with --url, or in ROUNDBOOK_URL."
        raise RefusedError(message)
    if picture is not None:
        invitation.require_format(picture)
    bare = invitation.invitation(url, "", ca)
    return lambda code: msgspec.structs.replace(bare, code=code)


def _code(made: NewCode) -> dict[str, object]:
    return {
        "code": made.code,
        "expires_at": output.moment(made.expires_ms),
        "township": made.township,
        "worker": made.worker.name,
        "grids": made.grids,
    }


@device.command("list")
def list_all(
    *,
    township: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only of this township.", show_default=False)
    ] = None,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List devices with what was last heard of them.

    Example: roundbook device list --township 321283104
    """
    lease_days = settings_of(data, database).lease_days
    found = on_database(data, database, lambda engine: service.listed(engine, township))
    if as_json:
        output.json([_plain(row, lease_days) for row in found])
        return
    rows = [
        (
            row.worker,
            row.grids,
            _state(row),
            output.clock_time(row.contact_ms),
            _clock(row),
            row.queued,
            row.client or None,
            output.day(_lease_ms(row, lease_days)),
            row.device_id,
        )
        for row in found
    ]
    unsent, grids, ids = output.number("unsent"), output.whole("grids"), output.whole("id")
    columns = ("worker", grids, "state", "last heard", "clock", unsent, "program", "lease until", ids)
    output.table(columns, rows, empty="No device yet: `roundbook device code` makes a code that enrols one.")


@device.command()
def revoke(*, device_id: Id, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """Revoke a device for ever, because it was lost, say. What it had not sent is still taken in.

    Example: roundbook device revoke 019a5f3c-5a10-7c1e-9b7a-2f6d0c4e8b11
    """
    done = on_database(data, database, lambda engine: service.revoke(engine, device_id, now_ms=now_ms()))
    if as_json:
        output.json(_plain(done, settings_of(data, database).lease_days))
    else:
        output.say(f"The device of {done.worker} was revoked {output.clock_time(done.revoked_ms)}.")


@device.command("grids")
def set_grids(
    *, device_id: Id, grid: Grids, data: Data = None, database: Database = None, as_json: Json = False
) -> None:
    """Give a device other grids of its township, instead of those it has.

    Example: roundbook device grids 019a5f3c-5a10-7c1e-9b7a-2f6d0c4e8b11 --grid 321283104203002
    """
    done = on_database(
        data, database, lambda engine: service.set_grids(engine, device_id, grid, now_ms=now_ms())
    )
    if as_json:
        output.json(_plain(done, settings_of(data, database).lease_days))
    else:
        output.say(f"The device of {done.worker} works in {', '.join(done.grids)} from its next sync on.")


def _state(row: DeviceRow) -> str:
    return "works" if row.revoked_ms is None else f"revoked {output.day(row.revoked_ms)}"


def _clock(row: DeviceRow) -> str | None:
    """How wrong the device's clock was when it was last heard, for people."""
    if row.offset_ms is None:
        return None
    ahead_s = -round(row.offset_ms / 1000)
    length = f"{abs(ahead_s)} s" if abs(ahead_s) < _DAY_S else f"{abs(ahead_s) // _DAY_S} days"
    if abs(row.offset_ms) <= LINK_MS:
        return f"right ±{LINK_MS // 1000} s"
    return f"{length} {'fast' if ahead_s > 0 else 'slow'} ±{LINK_MS // 1000} s"


def _lease_ms(row: DeviceRow, lease_days: int) -> int | None:
    """Until when the device's store stays open without another contact; None without a lease, or a device."""
    if not lease_days or row.revoked_ms is not None:
        return None
    return (row.contact_ms or row.enrolled_ms) + lease_days * DAY_MS


def _plain(row: DeviceRow, lease_days: int) -> dict[str, object]:
    return {
        "id": row.device_id,
        "township": row.township,
        "worker": row.worker,
        "worker_id": row.staff_id,
        "grids": row.grids,
        "enrolled_at": output.moment(row.enrolled_ms),
        "revoked_at": output.moment(row.revoked_ms),
        "last_heard_at": output.moment(row.contact_ms),
        "clock_ahead_ms": None if row.offset_ms is None else -row.offset_ms,
        "clock_uncertainty_ms": None if row.offset_ms is None else LINK_MS,
        "unsent": row.queued,
        "client": row.client,
        "key_since": output.moment(row.key_ms or row.enrolled_ms),
        "lease_until": output.moment(_lease_ms(row, lease_days)),
    }
