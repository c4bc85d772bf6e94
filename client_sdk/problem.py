"""Problems: what a worker has to look at, and the ways to answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from client_sdk.reading import Differing, Trouble
from client_sdk.record import Record

Answer = Literal["keep", "mine", "resubmit", "seen"]


@dataclass(frozen=True, slots=True)
class Told:
    """What every problem says.

    `what`: differs (两处都改了), returned (已退回), quarantined (需处理). `values` maps a path ("title",
    "tags/road", "measures/<entry id>/text") to the own value and the one that stands.
    """

    record: Record
    what: str
    values: dict[str, Differing]
    code: str | None
    """Why a change is in quarantine; see docs/errors.md."""
    reason: str | None
    next_zh: str
    next_en: str
    _id: int = field(repr=False, compare=False)

    @property
    def number(self) -> int:
        """The problem's place in the store; -1 for a record that was returned."""
        return self._id


@dataclass(frozen=True, slots=True)
class Problem(Told):
    """A problem, as `FieldClient.problems()` gives it."""

    _answer: Callable[..., Record | None] = field(repr=False, compare=False)

    def answer(self, answer: Answer, *, note: str | None = None, **fields: Any) -> Record | None:
        """Deals with it; gives the record as it is then, None when it is not on this device any more.

        keep      what stands, stands; the own value is not submitted again
        mine      the own values are submitted again, on what stands now; or `fields` instead of them
        resubmit  a returned record is corrected by `fields` and reported again, with a `note`
        seen      a change in quarantine leaves the list; the office has it

        Raises InvalidRecord like an edit.
        """
        return self._answer(self, answer, note, fields)


@dataclass(frozen=True, slots=True)
class AsyncProblem(Told):
    """The same from `AsyncFieldClient.problems()`; `answer` is awaited."""

    _answer: Callable[..., Awaitable[Record | None]] = field(repr=False, compare=False)

    async def answer(self, answer: Answer, *, note: str | None = None, **fields: Any) -> Record | None:
        """See Problem.answer."""
        return await self._answer(self, answer, note, fields)


def told(trouble: Trouble) -> dict[str, Any]:
    """The arguments that a problem takes from the store."""
    return {
        "record": trouble.record,
        "what": trouble.what,
        "values": trouble.values,
        "code": trouble.code,
        "reason": trouble.reason,
        "next_zh": trouble.next_zh,
        "next_en": trouble.next_en,
        "_id": trouble.id,
    }
