"""What can be said of a grid's round: by its reports, and by when its devices were heard of. Pure.

That nothing came says nothing about a worker: the device may have no network, or be broken. So silence is told
as silence, and nothing here is added up or ranked.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, Literal, TypeAlias

import msgspec

from server.rounds.cadence import Period
from sync_protocol.kinds import Title

Standing: TypeAlias = Literal[
    "in_time", "arrived_late", "made_later", "waiting", "heard", "silent", "no_device"
]
TITLES: Final[dict[Standing, Title]] = {
    "in_time": Title("按时报告", "Reported in time"),
    "arrived_late": Title("按时填写，晚些收到", "Made in time, arrived late"),
    "made_later": Title("截止后填写", "Made after the cut-off"),
    "waiting": Title("未到截止时间", "The cut-off is still to come"),
    "heard": Title("设备有联系，报告还没收到", "Device heard of, no report has come yet"),
    "silent": Title("设备未联系上", "Device not heard of"),
    "no_device": Title("没有登记设备", "No device is enrolled"),
}


class Report(msgspec.Struct, frozen=True):
    """A daily report of a grid."""

    record: str
    grid: str
    first: date
    last: date
    made_ms: int
    """By the server's estimate of the device's clock."""
    received_ms: int
    visits: int | None
    found: int | None
    zero: bool


class Told(msgspec.Struct, frozen=True):
    """What is told of a grid's round."""

    standing: Standing
    report: Report | None = None
    """The one that came first."""


class Contact(msgspec.Struct, frozen=True):
    """Whether a grid has a device in use, and when any of them was heard of last."""

    devices: int = 0
    heard_ms: int | None = None


def judged(period: Period, reports: Sequence[Report], contact: Contact, now_ms: int) -> Told:
    """How a round stands now."""
    own = sorted((one for one in reports if _belongs(one, period)), key=lambda one: one.received_ms)
    if own:
        return Told(_timely(own, period), own[0])
    if now_ms <= period.cut_off_ms:
        return Told("waiting")
    if not contact.devices:
        return Told("no_device")
    heard_ms = contact.heard_ms
    return Told("heard" if heard_ms is not None and heard_ms >= period.begins_ms else "silent")


def _belongs(report: Report, period: Period) -> bool:
    return report.first <= period.last and report.last >= period.first


def _timely(reports: Sequence[Report], period: Period) -> Standing:
    if any(one.received_ms <= period.cut_off_ms for one in reports):
        return "in_time"
    return "arrived_late" if any(one.made_ms <= period.cut_off_ms for one in reports) else "made_later"
