"""What a grid worker does in a day, with no network: visits, reports, matters. All of it follows from the seed."""

import datetime as dt
from typing import Any, Final

from client_sdk import Record
from demo.clocks import MINUTE, local
from demo.device import Device
from demo.texts import MEASURES, NOTES, Texts

_CATEGORIES: Final = ("01", "02", "03", "05", "06", "07", "08", "09", "10", "15")
_PURPOSES: Final = ("screening", "screening", "collection", "service", "follow_up", "publicity")
_TAGS: Final = ("road", "water", "drainage", "waste", "noise", "homestead", "wages", "school", "night")
_NARRATIVE_CHARS: Final = 260
_SHORT_CHARS: Final = 60
"""Where the link is slow, people write less."""
_FINDS: Final = 0.3
_DRAFTS: Final = 0.4


class Worker:
    """A worker with a device, for the length of the round."""

    def __init__(self, device: Device, texts: Texts) -> None:
        self.device = device
        self.draw = device.draw
        self.draft: Record | None = None
        self.matters: list[str] = []
        self._texts = texts

    def first_day(self) -> None:
        """A round of every grid. Everybody finds at least one matter; some keep a draft."""
        for at, grid in enumerate(self.device.client.grids()):
            self._round(grid.code, surely=at == 0 or self.device.plan.role == "loses_record")
        if self.draw.random() < _DRAFTS:
            self.draft = self._matter(self.device.client.grids()[0].code, draft=True)

    def second_day(self) -> None:
        """A round again, and yesterday's matters go on."""
        for record in self.matters[:2]:
            self._go_on(record)
        for grid in self.device.client.grids():
            self._round(grid.code, surely=False)
        if self.draft is not None:
            fuller = self.did(
                self.device.client.update(self.draft, people_involved=self.draw.randrange(10, 16))
            )
            self.device.client.submit(fuller)

    def did(self, record: Record) -> Record:
        """Counts a save that returned; the worker goes on to the next thing."""
        self.device.saves += 1
        self.device.clock.wait(self.draw.randrange(1, 9) * MINUTE)
        return record

    def now(self) -> dt.datetime:
        """The time that the device shows, to the second: what the worker writes down."""
        return local(self.device.clock()).replace(microsecond=0)

    def _round(self, grid: str, *, surely: bool) -> None:
        """One grid: some visits, then the report of the day, which is a zero report when nothing was found."""
        visits = 1 if self.device.plan.slow else self.draw.randrange(1, 4)
        found = [self._visit(grid, finds=surely or self.draw.random() < _FINDS) for _ in range(visits)]
        today = self.now().date()
        self.did(
            self.device.client.create(
                "round_report",
                grid=grid,
                period_start=today,
                period_end=today,
                visits=visits,
                found=sum(found),
                zero=not any(found),
            )
        )

    def _visit(self, grid: str, *, finds: bool) -> bool:
        """A visit, with or without a finding. It is saved when it begins, and again when it is over."""
        client = self.device.client
        visit = self.did(
            client.create(
                "visit",
                grid=grid,
                purpose=self.draw.choice(_PURPOSES),
                started_at=self.now(),
                found_anything=finds,
            )
        )
        if finds:
            matter = self._matter(grid)
            self.matters.append(matter.id)
            visit = self.did(client.append(visit, "matters", matter=matter.id))
        self.did(client.update(visit, ended_at=self.now(), note=self.draw.choice(NOTES)))
        return finds

    def _matter(self, grid: str, *, draft: bool = False) -> Record:
        """A matter, reported unless it is kept as a draft."""
        chars = _SHORT_CHARS if self.device.plan.slow else _NARRATIVE_CHARS
        narrative = self._texts.narrative(self.draw, chars)
        values: dict[str, Any] = {
            "nature": self.draw.choice(("dispute", "service", "hazard", "early_sign")),
            "title": narrative.title,
            "narrative": narrative.text,
            "category": self.draw.choice(_CATEGORIES),
            "people_involved": self.draw.randrange(1, 9),
            "found_at": self.now(),
            "source": "screening",
            "parties": [{"role": "reporter", "name": "反映人", "safe_contact": "请先联系村委会"}],
        }
        matter = self.did(self.device.client.create("matter", grid=grid, draft=draft, **values))
        return matter if draft else self.did(self.device.client.act(matter, "report"))

    def _go_on(self, record: str) -> None:
        """What happens to a matter on the day after."""
        client = self.device.client
        matter = self.did(client.append(client.get(record), "measures", text=self.draw.choice(MEASURES)))
        if self.draw.random() < 0.5:  # noqa: PLR2004 (one in two)
            matter = self.did(client.add(matter, "tags", self.draw.choice(_TAGS)))
        if self.draw.random() < _FINDS:
            self.did(client.act(matter, "settle", note="双方当场谈妥"))
