"""How long this machine has been running: a time that nobody sets, for the lease (sync_protocol/lease.py)."""

import time
from pathlib import Path
from typing import Final

from sync_protocol.lease import Running

_START: Final = Path("/proc/sys/kernel/random/boot_id")
"""Linux and Android draw it at each start."""


def this_machine() -> Running | None:
    """Since its start, asleep or not; None where the platform does not tell one start from another."""
    try:
        return Running(_START.read_text().strip(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)
    except (OSError, AttributeError):
        return None
