"""What the servers have said so far, which nothing that they say or store later may contradict."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sync_protocol.messages import Verdict
from tests.simulation.ledger import Ledger

_SAID: Final = frozenset(Verdict.__struct_fields__) - {"duplicate"}
"""What a verdict says; a later release may say more."""


@dataclass
class Told:
    """Verdicts by change, and the numbers of the timelines that restores have ended."""

    verdicts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    given: dict[int, str] = field(default_factory=dict)
    """To each number of a lost timeline, the change that had it."""

    def hear(self, answer: str) -> Iterator[str]:
        """G3: a change that comes again gets its first verdict again, whole."""
        for said in json.loads(answer).get("verdicts", ()):
            verdict = {name: said[name] for name in said.keys() & _SAID}
            first = self.verdicts.setdefault(said["id"], verdict)
            if first != verdict:
                yield f"G3: {said['id']} was answered with {first}, and then with {verdict}"

    def lose(self, ledger: Ledger) -> None:
        """A restore takes back what stands in `ledger`: what is offered again may meet another record."""
        self.verdicts.clear()
        self.given |= {change.n: change.id for change in ledger.changes}

    def given_twice(self, ledger: Ledger) -> Iterator[str]:
        """A number of a lost timeline never returns: a device that saw it takes it for what it saw."""
        for change in ledger.changes:
            first = self.given.get(change.n, change.id)
            if first != change.id:
                yield f"the number {change.n} is that of {change.id}, and was that of {first} in a lost timeline"
