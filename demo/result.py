"""What a round came to: plain values, the same for people and for programs."""

import msgspec


class DeviceResult(msgspec.Struct, frozen=True):
    """One line of the table. Counts are of changes, sizes of bodies as they travelled."""

    device: str
    worker: str
    grids: int
    clock_error_ms: int
    clock_jump_ms: int
    slow: bool
    cuts: int
    role: str | None
    saved: int
    sent: int
    applied: int
    merged: int
    differing: int
    quarantined: int
    waiting: int
    duplicates: int
    bytes_up: int
    bytes_down: int
    round_trips: int


class Check(msgspec.Struct, frozen=True):
    """One question about the round, and its answer. `differs` says what is wrong; it is empty when all is well."""

    zh: str
    en: str
    figures: str
    differs: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.differs


class Value(msgspec.Struct, frozen=True):
    """One of the values that differ."""

    value: object
    by: str
    role: str
    at_ms: int
    estimated_ms: int
    uncertainty_ms: int
    stands: bool


class Differing(msgspec.Struct, frozen=True):
    """One row of the office's inbox."""

    record: str
    number: str | None
    path: str
    rule: str
    status: str
    base: object
    stands: object
    values: tuple[Value, ...]


class Step(msgspec.Struct, frozen=True):
    """One line of a history."""

    n: int
    by: str
    role: str
    at_ms: int
    received_ms: int
    result: str
    code: str | None
    what: tuple[str, ...]


class Story(msgspec.Struct, frozen=True):
    """The history of one record."""

    record: str
    number: str | None
    title: str
    steps: tuple[Step, ...]


class Setting(msgspec.Struct, frozen=True):
    """Where the round was played."""

    township: str
    name: str
    villages_imported: int
    villages: int
    grids: int
    shared_texts: bool
    """Whether narratives were read from the shared data."""


class Result(msgspec.Struct, frozen=True):
    """Everything."""

    seed: int
    setting: Setting
    devices: tuple[DeviceResult, ...]
    office: dict[str, int]
    """The office's own changes, by result."""
    checks: tuple[Check, ...]
    differing: Differing | None
    history: Story | None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every check is."""
        return all(check.ok for check in self.checks)
