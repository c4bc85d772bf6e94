"""Real concurrent edits as an oracle: records that two sides of a git merge both edited (openaddresses, BSD-3).

For each of them a kind is declared at run time, with one text field for each name in it. One device makes the
record as it was, both edit it without having seen each other, and what becomes of it is compared with what the
two sides did, field by field. The data is read from where it lies and never copied into the project.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.kinds.service import install
from sync_protocol.changes import Change
from tests.sync.device import Device, enrolled
from tests.sync.town import Differing, Town, a_town

_TITLE = 'title = { zh = "来源", en = "Source" }'


class Sides(msgspec.Struct, frozen=True):
    """One field: what it was, and what either side made of it; None where it has no value."""

    base: str | None
    ours: str | None
    theirs: str | None

    @property
    def changed(self) -> tuple[bool, bool]:
        return (self.ours != self.base, self.theirs != self.base)

    @property
    def differ(self) -> bool:
        return all(self.changed) and self.ours != self.theirs


class Case(msgspec.Struct, frozen=True):
    """One record of the oracle, under names that a kind may have."""

    kind: str
    fields: dict[str, Sides]

    @property
    def toml(self) -> str:
        fields = "".join(
            f'[fields.{name}]\ntype = "text"\nmerge = "latest"\nprivacy = "plain"\n{_TITLE}\nmax_length = 4000\n'
            for name in self.fields
        )
        return f'[kind]\nname = "{self.kind}"\nversion = 1\nkeep_days = 30\n{_TITLE}\n{fields}'

    def edits(self, side: str) -> dict[str, str | None]:
        changed = {"ours": 0, "theirs": 1}[side]
        return {name: getattr(sides, side) for name, sides in self.fields.items() if sides.changed[changed]}


def cases(shared_data: Path) -> Iterator[Case]:
    lines = (shared_data / "concurrent" / "openaddresses_merges.jsonl").read_text(encoding="utf-8")
    for number, line in enumerate(lines.splitlines()):
        fields = json.loads(line)["fields"]
        sides = [
            Sides(*(_text(values, side) for side in ("base", "ours", "theirs"))) for values in fields.values()
        ]
        yield Case(f"source_{number}", {f"f{at}": one for at, one in enumerate(sides) if _said(one)})


def _said(sides: Sides) -> bool:
    """The result of the merge alone names some fields: nobody edited them."""
    return any(sides.changed) or sides.base is not None


def _text(values: dict[str, Any], side: str) -> str | None:
    value = values.get(side)
    return value if isinstance(value, str) or value is None else json.dumps(value)


async def _made(town: Town, found: list[Case]) -> tuple[dict[str, Device], list[Change]]:
    """Both devices, each of which holds every record as it was."""
    for case in found:
        await install(town.server.engine, case.toml, case.kind, town.server.now)
    await town.server.services.registry.refresh()
    devices = {"ours": await enrolled(town, 1), "theirs": await enrolled(town, 2)}
    made = []
    for case in found:
        known = {name: sides.base for name, sides in case.fields.items()}
        fields: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        made.append(devices["ours"].create(kind=case.kind, **fields))
    for device in devices.values():
        await device.sync_all()
    return devices, made


@pytest.mark.parametrize("order", [("ours", "theirs"), ("theirs", "ours")], ids="-then-".join)
async def test_real_concurrent_edits(order: tuple[str, str], shared_data: Path, database_url: str) -> None:
    found = list(cases(shared_data))
    assert len(found) == 234
    async with a_town(database_url) as town:
        devices, made = await _made(town, found)
        for side in order:
            town.server.now += 60_000
            for case, create in zip(found, made, strict=True):
                devices[side].edit(create.record, fields=case.edits(side), kind=case.kind)
        for side in order:
            await devices[side].sync_all()
        await devices[order[0]].sync_all()
        listed: dict[str, dict[str, Differing]] = {create.record: {} for create in made}
        for conflict in await town.conflicts():
            listed[conflict.record][conflict.path] = conflict
        outcome = Counter[str]()
        for case, create in zip(found, made, strict=True):
            stands = devices[order[0]].held[create.record].values
            _check(case, stands, listed[create.record])
            outcome["conflict" if listed[create.record] else "merged"] += 1
        assert outcome == Counter("conflict" if _differs(case) else "merged" for case in found)
        assert outcome["merged"] >= 181  # in so many the two sides changed different fields
        for device in devices.values():
            await device.assert_equals_the_server()


def _differs(case: Case) -> bool:
    return any(sides.differ for sides in case.fields.values())


def _check(case: Case, stands: dict[str, Any], listed: dict[str, Differing]) -> None:
    """Disjoint edits both stand, a conflict is listed where both changed one field, with base and both values."""
    for name, sides in case.fields.items():
        value = stands.get(name)
        if sides.differ:
            assert value in {sides.ours, sides.theirs}
            conflict = listed[name]
            assert conflict.sides.base == sides.base
            assert sorted(conflict.values, key=str) == sorted([sides.ours, sides.theirs], key=str)
        else:
            assert name not in listed
            assert value == (sides.ours if sides.changed[0] else sides.theirs)
