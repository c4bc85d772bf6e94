"""Saved views: a filter under a name, of the person who saved it alone."""

from functools import partial
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import invalid
from server.ledger.asking import Question, filter_of, sort_of
from server.ledger.service import kind_of
from server.rights import Person
from server.services import Services
from server.storage import ledger_views
from server.storage.engine import snapshot
from server.storage.ledger_views import View

NAME_CHARS_MAX: Final = 40
VIEWS_MAX: Final = 30
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Question).decode


class Saved(msgspec.Struct, frozen=True):
    """A saved view."""

    name: str
    question: Question


async def saved(services: Services, person: Person) -> list[Saved]:
    """The views of somebody, in the order of their names; what a later release saved in another form is left out."""
    work = partial(ledger_views.of_person, office=person.township, staff=person.staff_id)
    found = []
    for view in await snapshot(services.engine, work):
        try:
            found.append(Saved(view.name, _decode(view.filter)))
        except msgspec.ValidationError:
            continue
    return found


async def save(services: Services, person: Person, name: str, question: Question) -> None:
    """Keeps a view; one of the same name is written anew. Declines a name or a filter that is none."""
    plain = " ".join(name.split())
    if not 0 < len(plain) <= NAME_CHARS_MAX or not plain.isprintable():
        raise invalid("name", f"a name has 1 to {NAME_CHARS_MAX} characters")
    filter_of(question, await kind_of(services), services.clock())
    sort_of(question)

    async def work(connection: AsyncConnection) -> None:
        known = await ledger_views.of_person(connection, person.township, person.staff_id)
        if plain not in {view.name for view in known} and len(known) >= VIEWS_MAX:
            raise invalid("name", f"at most {VIEWS_MAX} views are kept: take one out first")
        view = View(plain, _encode(question))
        await ledger_views.save(connection, person.township, person.staff_id, view, services.clock())

    await services.write(person.township, work)


async def forget(services: Services, person: Person, name: str) -> None:
    """Forgets a view; nothing where there is none."""
    work = partial(ledger_views.forget, office=person.township, staff=person.staff_id, name=name)
    await services.write(person.township, work)
