"""What the audit knows: who may act, and the closed list of acts. Whoever adds an act adds its line here.

An entry names people, devices, records and changes by their ids, and never what a record says: no contact, no
narrative, no reason in words (that stands in the change which the entry names), no code, no token.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

ActorSort = Literal["operator", "application", "device", "person"]
Name = Literal[
    "application_added",
    "application_revoked",
    "conflict_decided",
    "deadline_rules_installed",
    "detail_erased",
    "device_code_given",
    "device_enrolled",
    "device_grids_changed",
    "device_revoked",
    "directory_imported",
    "exits_forgotten",
    "extension_decided",
    "kind_installed",
    "quarantine_discarded",
    "quarantine_replayed",
    "restored",
    "staff_added",
    "staff_disabled",
    "staff_enabled",
    "township_opened",
]
TITLES: Final[Mapping[str, str]] = {
    "application_added": "发放应用令牌",
    "application_revoked": "吊销应用令牌",
    "conflict_decided": "核对分歧",
    "deadline_rules_installed": "安装时限规则",
    "detail_erased": "抹去审计明细",
    "device_code_given": "发放设备码",
    "device_enrolled": "设备登记",
    "device_grids_changed": "调整设备网格",
    "device_revoked": "注销设备",
    "directory_imported": "导入区划",
    "exits_forgotten": "清理移出通知",
    "extension_decided": "审批延期",
    "kind_installed": "安装表单",
    "quarantine_discarded": "隔离区不采用",
    "quarantine_replayed": "隔离区重新处理",
    "restored": "恢复备份",
    "staff_added": "添加人员",
    "staff_disabled": "停用人员",
    "staff_enabled": "恢复人员",
    "township_opened": "开通乡镇",
}
Value = str | int | bool | Sequence[str] | Sequence[int] | None


class Actor(msgspec.Struct, frozen=True):
    """Who did it. The operator is whoever can run commands on the server, and no person of a township."""

    sort: ActorSort
    id: str = ""

    def __str__(self) -> str:
        return f"{self.sort}:{self.id}" if self.id else self.sort


OPERATOR: Final = Actor("operator")


class Act(msgspec.Struct, frozen=True):
    """One act, to be appended to the chain of its township (or to INSTALLATION's)."""

    township: str
    name: Name
    by: Actor
    at_ms: int
    """The server's time, milliseconds since 1970 UTC."""
    detail: Mapping[str, Value]
