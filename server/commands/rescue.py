"""roundbook answer."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.commands import output
from server.commands.opening import Data, Database, Json, on_database, settings_of, write_for_own_user
from server.files import read_file
from server.refused import RefusedError
from server.services import open_services
from sync_protocol.codec import Malformed
from sync_protocol.codes import CODES


def answer(
    *,
    request: Annotated[Path, typer.Argument(metavar="REQUEST", show_default=False)],
    reply: Annotated[Path, typer.Argument(metavar="ANSWER", show_default=False)],
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Take in the request file of a device that has no network, and write the answer to carry back.

    The server may run meanwhile. Doing it twice does no harm. The device makes the request file with
    `roundbook-device write-request`, and takes the answer in with `roundbook-device take-answer`.

    Example: roundbook answer /media/usb/wang.request /media/usb/wang.answer
    """
    # Of all commands this one alone needs the HTTP side, which takes half a second to load.
    from server.problems import Problem  # noqa: PLC0415
    from server.rescue.http import answer_file  # noqa: PLC0415

    body = read_file(request)
    settings = settings_of(data, database)

    async def work(engine: AsyncEngine) -> bytes:
        services = open_services(settings, engine)
        await services.registry.refresh()
        if len(body) > services.limits.body_bytes_max:
            raise Problem("too_large_request", f"a file has at most {services.limits.body_bytes_max} bytes")
        return await answer_file(services, body)

    try:
        answered = on_database(data, database, work)
    except (Problem, Malformed) as error:
        code = CODES[error.code if isinstance(error, Problem) else "malformed"]
        detail = (error.detail if isinstance(error, Problem) else str(error)) or code.en
        message = f"{request} was not taken in ({code.name}): {detail}."
        raise RefusedError(message) from error
    write_for_own_user()
    try:
        reply.write_bytes(answered)
    except OSError as error:
        message = (
            f"{reply} could not be written: name another file; taking the request in again does no harm."
        )
        raise RefusedError(message) from error
    if as_json:
        output.json({"request": str(request), "answer": str(reply), "bytes": len(answered)})
    else:
        output.say(f"{request} is taken in. Carry {reply} ({len(answered):,} bytes) back to the device.")
