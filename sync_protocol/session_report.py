"""What a sync says about itself: while it runs (`Progress`) and when it is over (`SyncReport`)."""

import msgspec

from sync_protocol.messages import SyncAnswer


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one sync did. Counts are of changes, `received` and `removed` of records.

    `sent` counts changes that got a verdict, and is the sum of applied, merged, conflicts, quarantined and
    erased; `duplicates` counts those among them that the server had already. Bytes are those of bodies as
    they travelled.
    """

    sent: int = 0
    applied: int = 0
    merged: int = 0
    conflicts: int = 0
    quarantined: int = 0
    erased: int = 0
    duplicates: int = 0
    received: int = 0
    removed: int = 0
    changed_ids: tuple[str, ...] = ()
    round_trips: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    duration_s: float = 0.0
    complete: bool = False
    """Whether everything that waited at the start has its verdict and the device has all of its scope."""
    stopped_by: str | None = None
    """What ended an incomplete sync, as a code."""
    reread: tuple[str, ...] = ()
    """Grids that were read again because their digests differed: worth telling whoever runs the server."""

    def __str__(self) -> str:
        left = "" if self.complete else f"，未完成（{self.stopped_by}）"
        return (
            f"已上传 {self.sent}，合并 {self.merged}，待核对 {self.conflicts}，需处理 {self.quarantined}，"
            f"收到 {self.received}{left} / sent {self.sent}, merged {self.merged}, differ {self.conflicts}, "
            f"need attention {self.quarantined}, received {self.received}"
            f"{'' if self.complete else f', stopped by {self.stopped_by}'}"
        )


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sync is. Totals are those known now: changes from the queue, records from the server's page.

    `bytes_done` and `bytes_total` are those of the queue's changes before compression; `bytes_up` and
    `bytes_down` what travelled.
    """

    phase: str
    changes_done: int
    changes_total: int
    bytes_done: int
    bytes_total: int
    records_done: int
    records_total: int
    bytes_up: int
    bytes_down: int
    waiting_for: str | None = None
    """Why the last exchange broke, while it is waiting to try again."""

    def __str__(self) -> str:
        return (
            f"{_PHASES.get(self.phase, self.phase)}: 上传 {self.changes_done}/{self.changes_total}"
            f"（{self.bytes_done}/{self.bytes_total} B），接收 {self.records_done}/{self.records_total}"
        )


_PHASES = {
    "collect": "准备 preparing",
    "exchange": "上传中 sending",
    "apply": "保存 saving",
    "wait": "等待信号 waiting",
    "done": "完成 done",
}


class Tally:
    """The counts of a running sync."""

    def __init__(self) -> None:
        """Starts at nought."""
        self.round_trips = 0
        self._counts: dict[str, int] = {}
        self._duplicates = self._received = self._removed = 0
        self._bytes_up = self._bytes_down = 0
        self._changed: dict[str, None] = {}
        self._reread: dict[str, None] = {}
        self._done = self._total = self._bytes_done = self._bytes_total = 0
        self._batch_bytes = self._batch = self._records_left = 0
        self._waiting_for: str | None = None

    def collected(self, left: int, left_bytes: int, batch: int, batch_bytes: int) -> None:
        """The queue was read: the totals are what is done and what is left."""
        self._total = self._done + max(left, batch)
        self._bytes_total = self._bytes_done + max(left_bytes, batch_bytes)
        self._batch, self._batch_bytes = batch, batch_bytes

    def bytes_travelled(self, up: int, down: int) -> None:
        """An exchange happened, whole or not."""
        self._bytes_up += up
        self._bytes_down += down

    def broken(self, reason: str) -> None:
        """An exchange broke."""
        self._waiting_for = reason

    def reread(self, grids: tuple[str, ...]) -> None:
        """Grids will be read again."""
        self._reread.update(dict.fromkeys(grids))

    def applied(
        self, answer: SyncAnswer, received: int, removed: int, changed: tuple[str, ...], left: int
    ) -> None:
        """An answer was applied."""
        self.round_trips += 1
        self._waiting_for = None
        for verdict in answer.verdicts:
            self._counts[verdict.result] = self._counts.get(verdict.result, 0) + 1
            self._duplicates += verdict.duplicate
        self._counts["quarantined"] = self._counts.get("quarantined", 0) + len(answer.unanswered)
        answered = len(answer.verdicts) + len(answer.unanswered)
        self._done += answered
        self._total = self._done + left
        if self._batch:
            self._bytes_done += self._batch_bytes * answered // self._batch
        if not left:
            self._bytes_total = self._bytes_done
        self._received += received
        self._removed += removed
        self._changed.update(dict.fromkeys(changed))
        self._records_left = answer.page.left if answer.page is not None else self._records_left

    def progress(self, phase: str) -> Progress:
        """The counts now."""
        return Progress(
            phase=phase,
            changes_done=self._done,
            changes_total=self._total,
            bytes_done=self._bytes_done,
            bytes_total=self._bytes_total,
            records_done=self._received,
            records_total=self._received + self._records_left,
            bytes_up=self._bytes_up,
            bytes_down=self._bytes_down,
            waiting_for=self._waiting_for if phase == "wait" else None,
        )

    def report(self, *, complete: bool, stopped_by: str | None = None) -> SyncReport:
        """The counts at the end; the driver adds the duration."""
        return SyncReport(
            sent=self._done,
            applied=self._counts.get("applied", 0),
            merged=self._counts.get("merged", 0),
            conflicts=self._counts.get("conflict", 0),
            quarantined=self._counts.get("quarantined", 0),
            erased=self._counts.get("erased", 0),
            duplicates=self._duplicates,
            received=self._received,
            removed=self._removed,
            changed_ids=tuple(self._changed),
            round_trips=self.round_trips,
            bytes_up=self._bytes_up,
            bytes_down=self._bytes_down,
            complete=complete,
            stopped_by=stopped_by,
            reread=tuple(self._reread),
        )
