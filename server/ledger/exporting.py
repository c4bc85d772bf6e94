"""An export of exactly what is filtered, written down in the audit before anybody gets it.

It is written page by page into a file that has no name any more, so memory is bounded, and nothing of it stays
behind. How many rows it has is known before the first byte leaves.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import IO, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import Act, Value
from server.audit.log import append
from server.declined import invalid
from server.ledger.asking import Question, filter_of, says, sort_of
from server.ledger.columns import TITLES, Say, cells
from server.ledger.files import FORMS, Sheet
from server.ledger.naming import names_of
from server.ledger.positions import value_of
from server.ledger.service import catch_up, count, kind_of, lines_of
from server.reach import Caller
from server.reckoning.spans import ZONE
from server.records.writing import actor_of
from server.services import Services
from server.storage.ledger import Row
from server.storage.ledger_lists import After, Filter, Sort
from server.vault.keeping import keys_of
from sync_protocol.kinds import Kind

_PAGE: Final = 1_000
_CHUNK_BYTES: Final = 256 * 1_024


class Exported(msgspec.Struct, frozen=True):
    """A file that is ready to be sent; whoever sends it closes it."""

    name: str
    media_type: str
    file: IO[bytes]
    count: int

    def chunks(self) -> Iterator[bytes]:
        """The file from its beginning, part by part."""
        with self.file:
            self.file.seek(0)
            while part := self.file.read(_CHUNK_BYTES):
                yield part


class _Asked(msgspec.Struct, frozen=True):
    """What is exported."""

    wanted: Filter
    sort: Sort
    kind: Kind
    now_ms: int
    say: Say


async def export(services: Services, caller: Caller, question: Question, form: str, say: Say) -> Exported:
    """The export of what a question finds, as a file in the words that `say` chooses.

    Declines a form that there is none, and more rows than it can hold.
    """
    shape, kind, now_ms = FORMS.get(form), await kind_of(services), services.clock()
    if shape is None:
        raise invalid("form", f"one of {', '.join(FORMS)}")
    asked = _Asked(filter_of(question, kind, now_ms), sort_of(question), kind, now_ms, say)
    await catch_up(services, caller)
    if await count(services, caller, asked.wanted, asked.sort, shape.rows_max) > shape.rows_max:
        raise invalid("form", f"at most {shape.rows_max} rows as {form}: filter further")
    file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by whoever sends it)
    try:
        sheet = shape.sheet(file, {name: say(title.zh, title.en) for name, title in TITLES.items()})
        counted = await _write(services, caller, asked, sheet)
        await asyncio.to_thread(sheet.close)
        await _note(services, caller, question, form, counted)
    except BaseException:
        file.close()
        raise
    day = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(ZONE).strftime("%Y%m%d")
    return Exported(f"{say('台账', 'ledger')}-{day}.{form}", shape.media_type, file, counted.total())


async def _write(services: Services, caller: Caller, asked: _Asked, sheet: Sheet) -> Counter[str]:
    """Writes every line; how many there were of each township."""
    counted: Counter[str] = Counter()
    after: After | None = None
    while True:
        lines = await lines_of(services, caller, asked.wanted, asked.sort, after, _PAGE)
        names = await names_of(services, ((line.township, line.row) for line in lines))
        said = [(line.row, cells(line.row, asked.kind, names, asked.now_ms, asked.say)) for line in lines]
        await asyncio.to_thread(_write_all, sheet, said)
        counted.update(line.township for line in lines)
        if len(lines) < _PAGE:
            return counted
        after = After(value_of(lines[-1].row, asked.sort), lines[-1].row.record_id)


def _write_all(sheet: Sheet, said: list[tuple[Row, dict[str, str]]]) -> None:
    for row, each in said:
        sheet.write(row, each)


async def _note(
    services: Services, caller: Caller, question: Question, form: str, counted: Counter[str]
) -> None:
    """Who exported how many matters of a township by which filter; of words only a keyed hash."""
    for township in caller.townships if not counted else sorted(counted):
        work = partial(
            _noted, services=services, caller=caller, township=township, question=question, form=form,
            found=counted[township],
        )  # fmt: skip
        await services.write(township, work)


async def _noted(
    connection: AsyncConnection,
    services: Services,
    caller: Caller,
    township: str,
    question: Question,
    form: str,
    found: int,
) -> None:
    plain = says(question)
    if "words" in plain:
        plain["words"] = (await keys_of(connection, township)).hash("searched", plain["words"])
    told: dict[str, Value] = {
        "form": form,
        "filter": [f"{name}={value}" for name, value in sorted(plain.items())],
        "matters": found,
    }
    await append(connection, Act(township, "exported", actor_of(caller), services.clock(), told))
