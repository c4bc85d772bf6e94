"""The office's part, over HTTP with the SDK for applications."""

import random

from client_sdk import Conflict, OfficeClient, Quarantined
from demo import tickets
from demo.clocks import MINUTE, ServerClock
from demo.plan import Plan, TicketPlan
from demo.texts import Texts

_CHARS = 200


class Office:
    """The township's desk."""

    def __init__(self, client: OfficeClient, plan: Plan, clock: ServerClock) -> None:
        self._client, self._plan, self._clock = client, plan, clock
        self.tickets: list[tuple[TicketPlan, str]] = []
        """What the hotline has handed over, with its record."""
        self.decided: dict[str, None] = {}
        """Changes of devices about which the office has decided."""
        self._unplaced: list[tuple[str, str]] = []

    def hand_over(self, texts: Texts) -> None:
        """What the hotline has before the round: matters in grids, and two of which only the village is known."""
        draw = random.Random(f"{self._plan.seed} hotline")
        for ticket in self._plan.tickets:
            values = tickets.fields(ticket, texts.narrative(draw, _CHARS))
            made = self._client.create("matter", key=ticket.key, grid=ticket.grid, **values)
            self.tickets.append((ticket, made.id))
        for village, grid in self._plan.unplaced:
            title = texts.narrative(draw, _CHARS).title
            made = self._client.create("matter", key=f"12345:{grid}", village=village, title=title)
            self._unplaced.append((made.id, grid))

    def work_by_day(self) -> None:
        """The office edits the same matters as the workers, who are not heard of before the evening."""
        for ticket, record in self.tickets:
            self._client.update(self._client.get(record), **tickets.office_edit(ticket.pattern))
            self._clock.wait(MINUTE)

    def move_by_night(self, record: str) -> None:
        """A record goes to another grid; matters without a grid get one."""
        self._client.update(self._client.get(record), grid=self._plan.moved_to)
        for placed, grid in self._unplaced:
            self._client.update(self._client.get(placed), grid=grid)

    def decide(self, moved: str) -> None:
        """Takes in again what came for the record that was moved, corrects what was invalid, decides one difference.

        The rest stays for whoever looks further.
        """
        for change in self._client.quarantine():
            if change.record == moved:
                self._take_in(change)
            elif change.code == "invalid_field":
                self._take_in(change, people_involved=3)
        waiting = self._client.conflicts()
        if len(waiting) > 1:
            self._decide(waiting[-1])

    def _take_in(self, change: Quarantined, **corrected: object) -> None:
        if change.id not in self.decided:
            done = self._client.replay(change, fields=corrected, reason="核对后补录")
            self.decided.update(dict.fromkeys(taken.origin for taken in done.taken))
        self._clock.wait(MINUTE)

    def _decide(self, conflict: Conflict) -> None:
        """For a value that does not stand, when there is one."""
        sides = [side.change for side in conflict.values if not side.stands]
        self._client.resolve(conflict, pick=sides[-1], reason="电话核实")
        field = [
            side.change for side in conflict.values if side.who is not None and side.who.role == "grid_worker"
        ]
        self.decided.update(dict.fromkeys(field))
        self._clock.wait(MINUTE)
