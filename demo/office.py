"""The office's part, over HTTP: the hotline with the token of an application, everybody else signed in."""

import random

from client_sdk import Conflict, OfficeClient, Quarantined
from demo import tickets
from demo.clocks import MINUTE, ServerClock
from demo.people import UNIT, Offices
from demo.plan import Plan, TicketPlan
from demo.texts import Texts

_CHARS = 200


class Office:
    """The hotline, the township's desk, its leader, a unit, the county."""

    def __init__(self, hotline: OfficeClient, people: Offices, plan: Plan, clock: ServerClock) -> None:
        self.hotline, self.people, self._plan, self._clock = hotline, people, plan, clock
        self._client = people["clerk"].client
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
            made = self.hotline.create("matter", key=ticket.key, grid=ticket.grid, **values)
            self.tickets.append((ticket, made.id))
        for village, grid in self._plan.unplaced:
            title = texts.narrative(draw, _CHARS).title
            made = self.hotline.create("matter", key=f"12345:{grid}", village=village, title=title)
            self._unplaced.append((made.id, grid))

    def work_by_day(self) -> None:
        """The office edits the same matters as the workers, who are not heard of before the evening."""
        self.people["clerk"].at_work()
        for ticket, record in self.tickets:
            self._client.update(self._client.get(record), **tickets.office_edit(ticket.pattern))
            self._clock.wait(MINUTE)

    def move_by_night(self, record: str) -> None:
        """A record goes to another grid; matters without a grid get one; one is given to a unit and a leader."""
        self.people["clerk"].at_work()
        self._client.update(self._client.get(record), grid=self._plan.moved_to)
        for placed, grid in self._unplaced:
            self._client.update(self._client.get(placed), grid=grid)

        desk, (_, hard) = self.people["clerk"].browser, self.tickets[0]
        desk.put(f"/v1/records/{hard}/units", {"units": [UNIT]})
        desk.put(f"/v1/records/{hard}/leaders", {"leaders": [self.people.id_of("leader")]})

    def handle(self) -> None:
        """Unit and leader write to what they were given; what is too hard goes to the county, and comes back."""
        (_, hard), (_, harder) = self.tickets[:2]
        unit, leader = self.people["unit_handler"].at_work(), self.people["leader"].at_work()
        unit.append(unit.get(hard), "measures", text="约双方周四到司法所调解。")
        leader.append(leader.get(hard), "opinions", text="由司法所牵头，一周内答复。", type="leader")
        clerk = self.people["clerk"].at_work()
        clerk.act(clerk.act(clerk.get(harder), "accept"), "pass_up", reason="涉及两镇，请县里协调")
        county = self.people["county_handler"].at_work()
        seen = [record.id for record in county.records("matter")]
        taken = county.act(county.get(seen[0]), "take_up", note="县里已受理")
        self._clock.wait(MINUTE)
        county.act(taken, "hand_back", reason="水利局已答复，由镇里办结")

    def decide(self, moved: str) -> None:
        """Takes in again what came for the record that was moved, corrects what was invalid, decides one difference.

        The rest stays for whoever looks further.
        """
        self.people["clerk"].at_work()
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
