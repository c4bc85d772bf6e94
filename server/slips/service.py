"""Slips of a matter: made once, with a number, and printed as often as somebody needs them.

What a slip says of the person it is addressed to is contact. It is put in for a stated reason, and shown again for
one: the audit has both. Without a reason a slip is printed with the addressee hidden.
"""

import hmac
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.contact.service import asked_for
from server.declined import Declined, invalid, not_found
from server.reach import Caller
from server.records.reading import find, veil_for
from server.records.writing import Target, actor_of, checked_key, record_of, request_id
from server.saying import SHANGHAI, day_said
from server.services import Services
from server.slips import values
from server.slips.paper import Body, Paper, number, paper
from server.slips.templates import ADDRESSEE, VALUE_CHARS_MAX, Asked, Sort, shown, sort_of
from server.slips.wording import text_of
from server.storage import office_authors, records, slips, townships
from server.storage.engine import snapshot
from server.storage.slips import Slip
from server.vault.keeping import keys_of
from sync_protocol.ids import is_id
from sync_protocol.kinds import Title
from sync_protocol.state import RecordState

NOBODY: Final = "当事人"
"""Whom a slip is addressed to when nobody is named."""
HIDDEN: Final = "＊＊＊"
_PARTIES: Final = "parties"
_MINUTE_MS: Final = 60_000
_decode: Final = msgspec.json.Decoder(Body).decode


class NewSlip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A slip that is asked for."""

    sort: str
    said: dict[str, str] = {}
    """The values that its sort asks for."""
    addressee: str | None = None
    """A party of the matter, by the id of its entry: its name is put in, which needs a reason."""
    reason: str = ""


class SlipView(msgspec.Struct, frozen=True):
    """A slip, without what it says."""

    id: str
    record: str
    sort: str
    title: Title
    number: str
    made_ms: int
    made_by: str | None
    """By name."""
    gone: bool
    """Whether what it said is gone, because its matter was erased."""
    names: bool
    """Whether somebody is named in it, whom only a reason shows."""


class Draft(msgspec.Struct, frozen=True):
    """What the form of a new slip shows."""

    sort: str
    title: Title
    asks: dict[str, Asked]
    said: dict[str, str]
    """What the matter proposes."""
    parties: dict[str, dict[str, object]]
    """Whom it may be addressed to, by entry: masked."""
    person: bool


class Ticket(msgspec.Struct, frozen=True):
    """Leave to print a slip, or a case file, in full: for one person, until a time."""

    until_ms: int
    proof: str


async def of_record(services: Services, caller: Caller, record: str) -> list[SlipView]:
    """The slips that were made of a matter, the oldest first."""
    township, _ = await find(services, caller, record)

    async def read(connection: AsyncConnection) -> list[SlipView]:
        found = await slips.of_record(connection, township, record)
        names = await office_authors.names(connection, township, sorted({one.made_by for one in found}))
        return [_view(one, names) for one in found]

    return await snapshot(services.engine, read)


async def draft(services: Services, caller: Caller, record: str, sort: str) -> Draft:
    """A new slip before it is made: what is asked for, and what the matter says of it already."""
    its = sort_of(sort)
    township, state = await find(services, caller, record)
    await services.registry.ensure()

    async def read(connection: AsyncConnection) -> values.Known:
        return await values.known(connection, services, township, state, services.clock())

    veil = msgspec.structs.replace(veil_for(services, caller, state.kind), full=False)
    parties = veil.at(_PARTIES, state.values.get(_PARTIES)) or {}
    said = values.proposed(await snapshot(services.engine, read), its)
    return Draft(sort, its.title, its.asks, said, parties if its.person else {}, its.person)


async def make(services: Services, caller: Caller, target: Target, new: NewSlip) -> SlipView:
    """Makes a slip and numbers it; the same request again is the same slip."""
    sort, said = sort_of(new.sort), _checked(sort_of(new.sort), new.said)
    reason = asked_for(services, caller, new.reason) if new.addressee is not None else None
    checked_key(target.key)
    township, _ = await find(services, caller, target.thing)
    await services.registry.ensure()
    now_ms = services.clock()
    slip_id = request_id(services, caller, target, msgspec.json.encode(new), now_ms)

    async def work(connection: AsyncConnection) -> SlipView:
        locked = await townships.lock(connection, township)
        state = await record_of(connection, township, target.thing, caller.reach)
        if state.erased:
            raise Declined("erased")
        made = await slips.by_id(connection, township, slip_id)
        if made is None:
            it = await values.known(connection, services, township, state, now_ms)
            given = values.of_matter(it) | said | {ADDRESSEE: _addressee(state, sort, new.addressee)}
            year = datetime.fromtimestamp(now_ms / 1000, SHANGHAI).year
            above = locked.slips_given(new.sort, year) if locked is not None else 0
            serial = await slips.next_serial(connection, township, new.sort, year, above)
            text = await text_of(connection, township, new.sort)
            body = Body(it.office, sort.title, number(sort.word, year, serial), text, given, day_said(now_ms))
            packed = msgspec.json.encode(body)
            made = Slip(slip_id, state.id, new.sort, year, serial, packed, caller.id, now_ms)
            await slips.add(connection, township, made)
            await _note(connection, township, caller, made, body.number, reason)
        return _view(made, {caller.id: caller.name})

    return await services.write(township, work)


async def leave(services: Services, caller: Caller, record: str, thing: str, reason: str) -> Ticket:
    """Leave to print `thing`, a slip or the case file of a record, in full: for a reason that is recorded."""
    why = asked_for(services, caller, reason)
    township, _ = await find(services, caller, record)
    now_ms = services.clock()
    until_ms = now_ms + services.contact_minutes * _MINUTE_MS

    async def work(connection: AsyncConnection) -> Ticket:
        await record_of(connection, township, record, caller.reach)
        told: dict[str, Value] = {"record": record, "reason": why}
        await append(connection, Act(township, "contact_shown", actor_of(caller), now_ms, told))
        return Ticket(until_ms, await _proof(connection, township, caller, thing, until_ms))

    return await services.write(township, work)


async def require(
    connection: AsyncConnection, township: str, caller: Caller, thing: str, given: Ticket, now_ms: int
) -> None:
    """Declines a ticket that is over, or that was given to somebody else or for something else."""
    proof = await _proof(connection, township, caller, thing, given.until_ms)
    fits = hmac.compare_digest(proof.encode(), given.proof.encode())
    if not fits or now_ms >= given.until_ms:
        raise Declined(
            "forbidden",
            "the time in which this could be shown in full is over: state a reason again",
            detail_zh="可以看完整信息的时间已过，请重新填写查阅事由",
        )


async def printed(
    services: Services, caller: Caller, slip: str, ticket: Ticket | None
) -> tuple[SlipView, Paper]:
    """A slip to be set on paper; with whom it names in full where a ticket allows it, hidden otherwise."""
    for township in caller.townships if is_id(slip) else ():

        async def read(
            connection: AsyncConnection, township: str = township
        ) -> tuple[SlipView, Paper] | None:
            found = await slips.by_id(connection, township, slip)
            ids = [found.record_id] if found is not None else []
            if found is None or not await records.reached(connection, township, ids, caller.reach):
                return None
            if found.body is None:
                raise Declined("erased")
            if ticket is not None:
                await require(connection, township, caller, slip, ticket, services.clock())
            view = _view(found, {})
            hidden = HIDDEN if ticket is None and view.names else None
            return view, paper(_decode(found.body), hidden)

        made = await snapshot(services.engine, read)
        if made is not None:
            return made
    raise not_found()


async def _proof(
    connection: AsyncConnection, township: str, caller: Caller, thing: str, until_ms: int
) -> str:
    keys = await keys_of(connection, township)
    return keys.hash("printing", f"{thing} {caller.id} {until_ms}")


async def _note(
    connection: AsyncConnection, township: str, caller: Caller, slip: Slip, name: str, reason: str | None
) -> None:
    """In the audit: that it was made, and why somebody is named in it."""
    told: dict[str, Value] = {"record": slip.record_id, "slip": slip.slip_id, "number": name}
    await append(connection, Act(township, "slip_made", actor_of(caller), slip.made_ms, told))
    if reason is not None:
        why: dict[str, Value] = {"record": slip.record_id, "reason": reason}
        await append(connection, Act(township, "contact_shown", actor_of(caller), slip.made_ms, why))


def _checked(sort: Sort, said: dict[str, str]) -> dict[str, str]:
    """What was typed, as paper can show it; declines what is missing, too long or not asked for."""
    strange = sorted(said.keys() - sort.asks.keys())
    if strange:
        raise invalid(strange[0], f"this slip asks for {', '.join(sort.asks) or 'nothing'}")
    given = {name: shown(said.get(name, "")).strip() for name in sort.asks}
    for name, asked in sort.asks.items():
        if asked.required and not given[name]:
            raise invalid(name, f"{asked.zh} ({asked.en}) is needed for this slip")
        if len(said.get(name, "")) > VALUE_CHARS_MAX:
            raise invalid(
                name,
                f"at most {VALUE_CHARS_MAX} characters",
                detail_zh=f"“{asked.zh}”最多 {VALUE_CHARS_MAX} 字",
            )
    return given


def _addressee(state: RecordState, sort: Sort, entry: str | None) -> str:
    if entry is None:
        return NOBODY
    parties = state.values.get(_PARTIES) or {}
    name = parties.get(entry, {}).get("name") if sort.person else None
    if not name:
        raise invalid(
            "addressee", "a party of the matter that has a name", detail_zh="收件人要选一位登记了称呼的当事人"
        )
    return shown(str(name)).replace("\n", " ")


def numbered(slip: Slip) -> str:
    """A slip's number in words."""
    return number(sort_of(slip.sort).word, slip.year, slip.serial)


def _view(slip: Slip, names: dict[str, str]) -> SlipView:
    sort = sort_of(slip.sort)
    named = slip.body is not None and _decode(slip.body).values.get(ADDRESSEE) != NOBODY
    return SlipView(
        slip.slip_id,
        slip.record_id,
        slip.sort,
        sort.title,
        numbered(slip),
        slip.made_ms,
        names.get(slip.made_by),
        slip.body is None,
        named,
    )
