"""What is to be told of a deadline, and when: a warning before it, then a request to explain, then an escalation.

Which steps there are follows from what happened to the record and from the rule alone, never from when
somebody looked. So a service that stood still tells afterwards what it would have told in time.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from server.reckoning import spans
from server.reckoning.clocks import Deadline
from server.reckoning.rules import Rule
from server.reckoning.workdays import Calendar

Sort = Literal["warning", "explanation", "escalation"]
SORTS: Final[tuple[Sort, ...]] = ("warning", "explanation", "escalation")
_NEVER: Final = -1


class Steps(msgspec.Struct, frozen=True):
    """When each is to be told; None where it is not, or has been told already. Milliseconds since 1970 UTC."""

    warning: int | None = None
    explanation: int | None = None
    escalation: int | None = None

    @property
    def next_ms(self) -> int | None:
        """The earliest of them."""
        given = (self.warning, self.explanation, self.escalation)
        return min((at_ms for at_ms in given if at_ms is not None), default=None)


def steps(
    deadline: Deadline, rule: Rule, calendar: Calendar, told: Mapping[Sort, int], since_ms: int
) -> Steps:
    """What is still to be told of a deadline.

    `told` says of each sort for which date it was told last: nothing is told again for that date or an earlier
    one. `since_ms` is when these rules came into force: of what lies before, an ended deadline is not told any
    more, and of one that runs no warning of a date that has passed.
    """
    moments: dict[Sort, int | None] = {
        "warning": None if rule.warn is None else spans.before(deadline.due_ms, rule.warn, calendar).ms,
        "explanation": deadline.due_ms if rule.explain else None,
        "escalation": None
        if rule.escalate is None
        else spans.after(deadline.due_ms, rule.escalate.after, calendar).ms,
    }
    return Steps(
        **{
            sort: at_ms
            for sort, at_ms in moments.items()
            if at_ms is not None
            and told.get(sort, _NEVER) < deadline.due_ms
            and _owed(sort, at_ms, deadline, since_ms)
        }
    )


def _owed(sort: Sort, at_ms: int, deadline: Deadline, since_ms: int) -> bool:
    # A time that was too short for a warning has none.
    if sort == "warning" and (at_ms <= deadline.started_ms or deadline.due_ms <= since_ms):
        return False
    if deadline.ended_ms is None:
        return True
    return since_ms <= at_ms < deadline.ended_ms
