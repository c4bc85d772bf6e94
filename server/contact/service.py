"""Contact in full, for a stated reason, and the one lookup by contact.

Whoever asks is written into the audit in the transaction that reads, with the reason: nothing is answered that
is not recorded. An answer says until when it may be shown; nothing else shows contact to a person, so whoever
needs it longer states a reason again.
"""

import re
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.declined import Declined, invalid
from server.reach import Caller
from server.records.reading import find
from server.records.veil import Veil
from server.records.writing import actor_of, record_of
from server.services import Services
from server.storage import records, telephones
from server.vault.telephones import telephones as telephones_in

REASON_CHARS: Final = (4, 200)
FOUND_MAX: Final = 100
_MINUTE_MS: Final = 60_000
_NUMBER: Final = re.compile(r"\d{5}")


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody needs a contact, in a few words, such as "call back about the hearing"."""

    reason: str


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A telephone number that a citizen gives, and why it is looked for."""

    contact: str
    reason: str


class ContactView(msgspec.Struct, frozen=True):
    """The fields of a record that have contact in them, in full; nothing where it has none."""

    id: str
    township: str
    number: str | None
    fields: dict[str, Any]
    until_ms: int
    """When a program has to hide it again: milliseconds since 1970 UTC."""


class Numbers(msgspec.Struct, frozen=True):
    """Registration numbers of the matters in which a contact stands, in order, and nothing else of them."""

    numbers: list[str]


async def show(services: Services, caller: Caller, record: str, why: Reason) -> ContactView:
    """The contact of one record within the caller's reach."""
    reason = asked_for(services, caller, why.reason)
    township, _ = await find(services, caller, record)
    await services.registry.ensure()
    now_ms = services.clock()

    async def work(connection: AsyncConnection) -> ContactView:
        state = await record_of(connection, township, record, caller.reach)
        veil = Veil(services.registry.latest(state.kind), full=False)
        shown = {name: value for name, value in state.values.items() if veil.at(name, value) != value}
        told = {"record": record, "reason": reason}
        await append(connection, Act(township, "contact_shown", actor_of(caller), now_ms, told))
        until_ms = now_ms + services.contact_minutes * _MINUTE_MS
        return ContactView(record, township, state.number, shown, until_ms)

    return await services.write(township, work)


async def look_up(services: Services, caller: Caller, asked: Asked) -> Numbers:
    """The matters within the caller's reach in which exactly this number stands."""
    reason = asked_for(services, caller, asked.reason)
    found = telephones_in(asked.contact)
    if len(found) != 1:
        raise invalid("contact", "one telephone number of 7 to 15 digits, area code included")
    (number,) = found
    numbers: list[str] = []
    for township in caller.townships:
        work = partial(
            _look_up, services=services, caller=caller, township=township, number=number, reason=reason
        )
        numbers += await services.write(township, work)
    return Numbers(sorted(numbers))


async def _look_up(
    connection: AsyncConnection, services: Services, caller: Caller, township: str, number: str, reason: str
) -> list[str]:
    ids = await telephones.records_with(connection, township, number, FOUND_MAX)
    within = await records.reached(connection, township, ids, caller.reach)
    found = [state.number for state in within.values() if state.number is not None and not state.deleted]
    told: dict[str, Value] = {"found": len(found), "reason": reason}
    await append(connection, Act(township, "contact_looked_up", actor_of(caller), services.clock(), told))
    return found


def asked_for(services: Services, caller: Caller, reason: str) -> str:
    """Counts that somebody asks for contact, wherever they do, and gives the reason as it is recorded.

    Declines whoever has asked too often in the last minute.
    """
    asked, now_ms = services.counted.contact, services.clock()
    if asked.too_many(caller.id, now_ms):
        raise Declined(
            "too_many_requests",
            "contact was asked for too often in a minute; wait a minute",
            detail_zh="一分钟内查阅联系方式过于频繁，请一分钟后再试",
        )
    asked.add(caller.id, now_ms)
    return _checked(reason)


def _checked(reason: str) -> str:
    """The reason as it is recorded. It says why and not whom, so it has no long number."""
    plain = " ".join(reason.split())
    low, high = REASON_CHARS
    if not low <= len(plain) <= high or not plain.isprintable() or _NUMBER.search(plain):
        raise invalid(
            "reason",
            f"why it is needed, in {low} to {high} characters, without any number of five digits or more",
            detail_zh=f"写为什么要看，{low} 至 {high} 字，不写五位以上的数字",
        )
    return plain
