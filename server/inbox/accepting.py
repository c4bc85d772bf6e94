"""Accepts several newly reported matters: first what would happen, line by line, then each as a change of its own."""

from collections.abc import Sequence
from typing import Final

import msgspec

from server.declined import Declined, invalid
from server.privacy.numbers import hidden
from server.reach import Caller
from server.records import service as records
from server.records.reading import find
from server.records.service import Step
from server.records.writing import Target
from server.services import Services
from sync_protocol.codes import CODES
from sync_protocol.kinds import Title

AT_ONCE: Final = 50
ACCEPT: Final = "accept"
_ELSEWHERE: Final = Title("已不在待受理之列", "it does not wait to be accepted any more")


class Chosen(msgspec.Struct, frozen=True):
    """A matter that was ticked, in the version that was shown."""

    record: str
    seen: int


class Outcome(msgspec.Struct, frozen=True):
    """What would happen, or has happened, to one of them."""

    record: str
    seen: int
    number: str = ""
    title: str = ""
    refused: Title | None = None
    """Why not; None where it goes."""


def chosen_of(texts: Sequence[str]) -> list[Chosen]:
    """What a list sends of its ticked lines: `ID@VERSION` each. Declines none, too many, and other texts."""
    if not 0 < len(texts) <= AT_ONCE:
        raise invalid("record", f"1 to {AT_ONCE} matters")
    found = []
    for text in dict.fromkeys(texts):
        record, _, version = text.partition("@")
        if not version.isdecimal() or len(version) > len(str(2**63)):
            raise invalid("record", "a line of the list")
        found.append(Chosen(record, int(version)))
    return found


async def preview(services: Services, caller: Caller, chosen: Sequence[Chosen]) -> list[Outcome]:
    """What accepting them would do now; nothing is written."""
    return [await _foreseen(services, caller, one) for one in chosen]


async def accept(services: Services, caller: Caller, chosen: Sequence[Chosen], key: str) -> list[Outcome]:
    """Accepts those that can be accepted; the same key again is the same deed."""
    return [await _accepted(services, caller, one, key) for one in chosen]


async def _foreseen(services: Services, caller: Caller, one: Chosen) -> Outcome:
    try:
        _, state = await find(services, caller, one.record)
        open_now = {step.name: step for step in await records.actions(services, caller, one.record)}
    except Declined as declined:
        return Outcome(one.record, one.seen, refused=_words(declined))
    said = Outcome(one.record, one.seen, state.number or "", hidden(str(state.values.get("title") or "")))
    step = open_now.get(ACCEPT)
    reason = _ELSEWHERE if step is None or step.missing else None
    return msgspec.structs.replace(said, refused=reason)


async def _accepted(services: Services, caller: Caller, one: Chosen, key: str) -> Outcome:
    try:
        done = await records.act(services, caller, Target(one.record, one.seen, key), Step(ACCEPT))
    except Declined as declined:
        foreseen = await _foreseen(services, caller, one)
        return msgspec.structs.replace(foreseen, refused=foreseen.refused or _words(declined))
    return Outcome(one.record, one.seen, done.number or "", hidden(str(done.fields.get("title") or "")))


def _words(declined: Declined) -> Title:
    code = CODES[declined.code]
    return Title(code.zh, code.en)
