"""The words of a township's slips: those that ship, or its own, which an office sets and may take back."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.declined import invalid
from server.reach import Caller
from server.records.writing import actor_of
from server.services import Services
from server.slips.templates import TEXT_CHARS_MAX, check, shipped, sort_of
from server.storage import slips, townships
from server.storage.engine import snapshot
from server.storage.slips import Words
from sync_protocol.kinds import Title


class Template(msgspec.Struct, frozen=True):
    """The words of one sort of slip in a township."""

    sort: str
    title: Title
    text: str
    shipped: str
    """What ships, to compare with and to go back to."""
    revision: int
    """How often the office has set it; what a form was opened on goes back with it."""
    values: tuple[str, ...]
    """The placeholders that may stand in it."""

    @property
    def own(self) -> bool:
        """Whether these are the township's own words."""
        return self.text != self.shipped


async def listed(services: Services, caller: Caller) -> list[Template]:
    """The templates of the caller's own township."""

    async def read(connection: AsyncConnection) -> list[Template]:
        own = await slips.words(connection, caller.townships[0])
        return [_template(name, own.get(name)) for name in shipped()]

    return await snapshot(services.engine, read)


async def put(services: Services, caller: Caller, sort: str, text: str, seen: int) -> Template:
    """Sets the words of a sort; empty ones put the shipped ones back. Slips that were made stay as they are."""
    its, township, plain = sort_of(sort), caller.townships[0], _plain(text)
    if plain:
        check(its, plain)
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> Template:
        await townships.lock(connection, township)
        before = (await slips.words(connection, township)).get(sort)
        standing = _template(sort, before)
        if (plain or its.text) == standing.text:
            return standing
        if seen != standing.revision:
            raise invalid(
                "text",
                "somebody else has set these words meanwhile; load the page again and compare",
                detail_zh="别人刚改过这份模板，请重新打开本页对照后再改",
            )
        given = Words(sort, standing.revision + 1, plain, str(actor_of(caller)), now_ms)
        await slips.set_words(connection, township, given)
        told: dict[str, Value] = {"slip": sort, "revision": given.revision, "shipped": not plain}
        await append(connection, Act(township, "slip_template_set", actor_of(caller), now_ms, told))
        return _template(sort, given)

    return await services.write(township, work)


async def text_of(connection: AsyncConnection, township: str, sort: str) -> str:
    """The words that a slip of a sort is made from now."""
    return _template(sort, (await slips.words(connection, township)).get(sort)).text


def _template(name: str, own: Words | None) -> Template:
    its = sort_of(name)
    text = own.text if own is not None and own.text else its.text
    return Template(name, its.title, text, its.text, own.revision if own is not None else 0, its.names)


def _plain(text: str) -> str:
    if len(text) > TEXT_CHARS_MAX or "\0" in text:
        raise invalid("text", f"a text of at most {TEXT_CHARS_MAX} characters")
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join(lines).strip() + "\n" if text.strip() else ""
