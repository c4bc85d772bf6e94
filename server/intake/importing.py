"""Takes the office's old ledger over: every matter under its old number, once, all of a file or nothing of it.

A matter is known by township and old number, so a second import of the same file changes nothing. The trial is
the import itself, taken back: what it refuses is what the import would refuse.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final

import anyio.to_thread
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.declined import Declined
from server.intake import sheets
from server.intake.registering import township_of_desk
from server.intake.sheets import OldMatter, Refused
from server.ledger.service import kind_of
from server.reach import Caller
from server.records.writing import author_of, derived_id
from server.services import Services
from server.storage import directory, records
from server.storage.engine import snapshot
from server.sync import push as pushing
from server.sync.batch import Upload
from server.sync.timeline import locked_to_write
from sync_protocol.changes import Act, Change, Put, encode
from sync_protocol.clock import Reading
from sync_protocol.codec import Unreadable, read_change
from sync_protocol.ids import RANDOM_BYTES, uuid7
from sync_protocol.kinds import Kind, Title

SYSTEM: Final = Title("旧台账", "old ledger")
_AT_ONCE: Final = 300
"""Matters a push: its changes are held in memory together."""
_ENDINGS: Final = ("村民委员会", "居民委员会", "村委会", "居委会", "社区", "村")
"""With which names of villages are written, or without."""
_REASON: Final = "旧台账导入"
_ANYTHING: Final = 2**53 - 1
"""A base above every version: whatever stands was seen, since the same import made it."""
_STEPS: Final = (("settle", "reported", "settled"), ("close", "settled", "closed"))


class Imported(msgspec.Struct, frozen=True):
    """What an import did, or would do."""

    new: int
    known: int
    """Taken over before; they stay as they are."""
    refused: list[Refused]
    columns: dict[str, str]
    ignored: list[str]
    first: list[OldMatter]
    """The first of the new ones."""
    dry_run: bool


class _TakenBack(Exception):  # noqa: N818 (ends a transaction on purpose)
    """The trial is over."""


async def import_sheet(
    services: Services, caller: Caller, file: IO[bytes], *, dry_run: bool, shown: int = 10
) -> Imported:
    """Takes over what a workbook says; with `dry_run`, only says what would come of it."""
    township, kind = township_of_desk(caller), await kind_of(services)
    places = await villages_by_name(services, caller, township)
    sheet = await anyio.to_thread.run_sync(sheets.read, file, kind, places, township)
    known = await _known(services, township, sheet.matters)
    new = [one for one in sheet.matters if one.number not in known]
    refused = await _tried(services, caller, township, kind, new)
    fit = [one for one in new if one.line not in refused]
    if fit and not dry_run:
        await _take_over(services, caller, township, kind, fit)
    lines = [*sheet.refused, *(Refused(line, reason) for line, reason in refused.items())]
    return Imported(
        len(fit),
        len(known),
        sorted(lines, key=lambda one: one.line),
        sheet.columns,
        sheet.ignored,
        fit[:shown],
        dry_run,
    )


def record_of(township: str, number: str) -> str:
    """The id of the matter that an old number is taken over as."""
    return derived_id("imported", township, number)


async def villages_by_name(services: Services, caller: Caller, township: str) -> dict[str, str]:
    """Villages within reach by code, by name, and by whatever else people call them where only one is meant."""
    grids = await snapshot(services.engine, lambda c: directory.grids_of(c, township))
    named = {grid.village: grid.village_name for grid in grids if caller.reach.covers(grid.village)}
    called: dict[str, set[str]] = {}
    for village, name in named.items():
        stem = name
        for ending in _ENDINGS:
            stem = stem.removesuffix(ending)
        for other in {stem, *(stem + ending for ending in _ENDINGS)}:
            called.setdefault(other, set()).add(village)
    single = {name: next(iter(meant)) for name, meant in called.items() if len(meant) == 1}
    return (
        single | {name: village for village, name in named.items()} | {village: village for village in named}
    )


async def _known(services: Services, township: str, matters: Sequence[OldMatter]) -> set[str]:
    """Old numbers that were taken over before, those of erased ones included."""
    ids = {record_of(township, one.number): one.number for one in matters}

    async def read(connection: AsyncConnection) -> set[str]:
        return {ids[found] for found in await records.by_ids(connection, township, sorted(ids))}

    return await snapshot(services.engine, read)


async def _tried(
    services: Services, caller: Caller, township: str, kind: Kind, matters: Sequence[OldMatter]
) -> dict[int, Title]:
    """Lines that are refused when all is written; nothing of it stays."""
    refused: dict[int, Title] = {}

    async def work(connection: AsyncConnection) -> None:
        refused.clear()
        refused.update(await _write(connection, services, caller, township, kind, matters))
        raise _TakenBack

    with contextlib.suppress(_TakenBack):
        await services.write(township, work)
    return refused


async def _take_over(
    services: Services, caller: Caller, township: str, kind: Kind, matters: Sequence[OldMatter]
) -> None:
    async def work(connection: AsyncConnection) -> None:
        if await _write(connection, services, caller, township, kind, matters):
            raise Declined("conflict", "the office has changed meanwhile: try the import again")

    await services.write(township, work)


async def _write(
    connection: AsyncConnection,
    services: Services,
    caller: Caller,
    township: str,
    kind: Kind,
    matters: Sequence[OldMatter],
) -> dict[int, Title]:
    """Pushes every matter with its steps; lines of which something was refused."""
    refused: dict[int, Title] = {}
    now_ms, author = services.clock(), author_of(caller, township)
    for start in range(0, len(matters), _AT_ONCE):
        changes, lines = _changes(services, caller, township, kind, matters[start : start + _AT_ONCE], now_ms)
        found = await locked_to_write(connection, township, services.heads, now_ms)
        if found is None:
            raise Declined("not_found")
        upload = Upload(author, changes, Reading(now_ms, now_ms))
        pushed = await pushing.push(connection, found, upload, services.registry, services.limits)
        for line, verdict in zip(lines, pushed.verdicts, strict=True):
            if verdict.result not in {"applied", "merged"}:
                refused.setdefault(line, _words(verdict.code, verdict.field, verdict.reason))
    return refused


def _changes(
    services: Services, caller: Caller, township: str, kind: Kind, matters: Sequence[OldMatter], now_ms: int
) -> tuple[list[Change | Unreadable], list[int]]:
    """The changes of these matters, checked for their form, and the line that each belongs to."""
    made: list[tuple[int, Change]] = []
    for one in matters:
        record = record_of(township, one.number)
        made += [(one.line, change) for change in _of_matter(services, record, kind, one, caller, now_ms)]
    numbered = [msgspec.structs.replace(change, n=nth) for nth, (_, change) in enumerate(made, 1)]
    checked = [read_change(encode(change), services.limits) for change in numbered]
    return checked, [line for line, _ in made]


def _of_matter(
    services: Services, record: str, kind: Kind, one: OldMatter, caller: Caller, now_ms: int
) -> list[Change]:
    given: dict[str, Any] = {
        "record": record, "kind": kind.name, "version": kind.version, "n": 1, "at": now_ms, "mark": now_ms,
        "base": _ANYTHING,
    }  # fmt: skip
    fields = _entries(record, {**one.fields, "references": [{"system": SYSTEM.zh, "number": one.number}]})
    create = Change(
        **given, id=derived_id("import", record), do="create", place=one.place, fields=_raw(fields),
        act=Act("report", "draft", "reported"),
    )  # fmt: skip
    if not one.is_closed:
        return [create]
    answer = {"text": one.answer, "by": caller.name} if one.answer else None
    entry = uuid7(now_ms, services.random(RANDOM_BYTES))
    said = (Put("answers", entry, _raw(answer)),) if answer else ()
    steps = [
        Change(
            **given, id=derived_id("import", record, name), fields=_raw({}), ops=said if name == "settle" else (),
            act=Act(name, start, to, _REASON), reason=_REASON,
        )
        for name, start, to in _STEPS
    ]  # fmt: skip
    return [create, *steps]


def _entries(record: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of entries with ids that follow from the record, as every create has them."""
    return {
        name: {derived_id("entry", record, name, str(at)): each for at, each in enumerate(value)}
        if isinstance(value, list)
        else value
        for name, value in fields.items()
    }


def _raw(fields: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))


def _words(code: str | None, field: str | None, reason: str | None) -> Title:
    about = ", ".join(part for part in (field, reason or code) if part)
    return Title(f"不符合表单要求：{about}", f"not as the kind declares: {about}")
