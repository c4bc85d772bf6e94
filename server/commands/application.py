"""roundbook application add, list, revoke."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from server.applications import service
from server.applications.service import SCOPES, Listed, NewApplication
from server.commands import output
from server.commands.opening import Data, Database, Json, now_ms, on_database, random

application = typer.Typer(no_args_is_help=True)


@application.callback()
def about() -> None:
    """Third-party applications and their tokens."""


@application.command()
def add(
    *,
    name: Annotated[str, typer.Option(show_default=False)],
    scope: Annotated[
        list[str], typer.Option(help=f"One of {', '.join(SCOPES)}; may be repeated.", show_default=False)
    ],
    township: Annotated[list[str], typer.Option(metavar="CODE", help="May be repeated.", show_default=False)],
    days: Annotated[int, typer.Option(help="How long the token is valid.")] = service.DAYS_DEFAULT,
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a token for an application. It is shown once and kept nowhere.

    Example: roundbook application add --name 12345热线 --scope records:write --township 321283104
    """

    async def work(engine: AsyncEngine) -> NewApplication:
        return await service.add(engine, name, scope, township, now_ms=now_ms(), random=random, days=days)

    made = on_database(data, database, work)
    if as_json:
        output.json({**_plain(made.application), "token": made.token})
        return
    output.facts(
        (
            ("application", made.application.name),
            ("townships", ", ".join(made.application.townships)),
            ("scopes", ", ".join(made.application.scopes)),
            ("valid until", output.day(made.application.expires_ms)),
            ("id", made.application.id),
        )
    )
    output.hint("The token, shown this once:")
    # A line by itself and never folded, so that it can be copied whole.
    typer.echo(made.token)


@application.command("list")
def list_all(*, data: Data = None, database: Database = None, as_json: Json = False) -> None:
    """List applications, the revoked ones too. Tokens are not among it: nobody has them.

    Example: roundbook application list
    """
    found = on_database(data, database, service.listed)
    if as_json:
        output.json([_plain(one) for one in found])
        return
    rows = [(one.name, one.townships, one.scopes, _state(one), one.id) for one in found]
    columns = ("name", output.whole("townships"), "scopes", "state", output.whole("id"))
    output.table(
        columns, rows, empty="No application yet: `roundbook application add` makes a token for one."
    )


@application.command()
def revoke(
    *,
    application_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    data: Data = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Revoke an application's token for ever.

    Example: roundbook application revoke 019a5f3c-5a10-7c1e-9b7a-2f6d0c4e8b11
    """

    async def work(engine: AsyncEngine) -> Listed:
        return await service.revoke(engine, application_id, now_ms=now_ms())

    done = on_database(data, database, work)
    if as_json:
        output.json(_plain(done))
    else:
        output.say(f"The token of {done.name} opens nothing any more.")


def _state(one: Listed) -> str:
    if one.revoked_ms is not None:
        return f"revoked {output.day(one.revoked_ms)}"
    if one.expires_ms is None:
        return "works"
    word = "works until" if now_ms() < one.expires_ms else "expired"
    return f"{word} {output.day(one.expires_ms)}"


def _plain(one: Listed) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "townships": one.townships,
        "scopes": one.scopes,
        "added_at": output.moment(one.added_ms),
        "revoked_at": output.moment(one.revoked_ms),
        "expires_at": output.moment(one.expires_ms),
    }
