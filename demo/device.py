"""One device of the round: its store, what its worker saved, its syncs."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from client_sdk import FieldClient, Offline, Policy, SyncReport
from client_sdk.transport import Transport
from demo.clocks import DeviceClock
from demo.link import Link
from demo.plan import DevicePlan

SYNCS_MAX: Final = 6
"""How often a worker presses the button again when a sync was not complete."""
_COUNTS: Final = ("sent", "applied", "merged", "conflicts", "quarantined", "duplicates")
_SIZES: Final = ("received", "removed", "bytes_up", "bytes_down", "round_trips")
_POLICY: Final = Policy(retry_delay_s=0.2)
"""Less patience than a worker has: the round shall end within a minute."""
_DEATH_S: Final = 60.0


class Device:
    """One device. One thread at a time uses it."""

    def __init__(
        self, plan: DevicePlan, seed: int, path: Path, true_ms: int, transport: Transport | None
    ) -> None:
        """`transport` is what a good link has; a slow one brings its own turns."""
        self.plan = plan
        self.path = path
        self.clock = DeviceClock(true_ms, plan.clock.error_ms)
        self.draw = random.Random(f"{seed} device {plan.name}")
        self.saved: dict[str, None] = {}
        """Ids of every change, as the queue named them before they were sent."""
        self.saves = 0
        """How many saves returned."""
        self.crafted: dict[str, set[str]] = {}
        """Record to the fields of changes that were put into the queue behind the SDK's back."""
        self.counts: Counter[str] = Counter()
        self.reread: set[str] = set()
        self.complete = True
        self.killed = False
        self.survived_death = True
        self._client: FieldClient | None = None
        self._transport = transport

    @property
    def name(self) -> str:
        """The device's number."""
        return self.plan.name

    @property
    def passphrase(self) -> str:
        """What opens its store."""
        return f"roundbook-demo-{self.name}"

    @property
    def client(self) -> FieldClient:
        """The open client; opens the store when it is not."""
        if self._client is None:
            self._client = FieldClient.open(
                self.path,
                passphrase=self.passphrase,
                clock=self.clock,
                random=self.draw.randbytes,
                transport=self._transport,
            )
        return self._client

    def close(self) -> None:
        """The worker closes the program."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def note_queue(self) -> None:
        """Keeps the ids of what waits."""
        self.saved.update(dict.fromkeys(entry.id for entry in self.client.queue()))

    @property
    def waiting(self) -> int:
        """Changes that the township has not answered for."""
        return sum(entry.status in {"draft", "queued"} for entry in self.client.queue())

    def sync(self, on_report: Callable[[SyncReport], object] = lambda _: None) -> None:
        """Syncs, and again when a link broke for good, as a worker would."""
        self.complete = False
        for _ in range(SYNCS_MAX):
            try:
                report = self.client.sync(policy=_POLICY)
            except Offline:
                continue
            self._add(report)
            on_report(report)
            if report.complete:
                self.complete = True
                return

    def die_in_upload(self, link: Link) -> None:
        """Syncs in a process of its own, which is killed when the armed link breaks; then opens the store again."""
        before = [entry.id for entry in self.client.queue()]
        self.close()
        told = {
            "store": str(self.path),
            "passphrase": self.passphrase,
            "now_ms": self.clock(),
            "seed": self.draw.randrange(2**32),
        }
        command = [sys.executable, "-m", "demo.dying"]
        folder = Path(__file__).resolve().parent.parent
        with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=folder) as process:  # noqa: S603 (our own)
            link.arm(self.plan.cuts["tuesday"], process.kill)
            process.communicate(json.dumps(told).encode(), timeout=_DEATH_S)
        self.killed = process.returncode == -signal.SIGKILL
        self.survived_death = [entry.id for entry in self.client.queue()] == before

    def _add(self, report: SyncReport) -> None:
        for name in (*_COUNTS, *_SIZES):
            self.counts[name] += getattr(report, name)
        self.reread.update(report.reread)
