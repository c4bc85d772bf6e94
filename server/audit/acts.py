"""What the audit knows: who may act, and the closed list of acts. Whoever adds an act adds its line here.

An entry names people, devices, records and changes by their ids, and never what a record says: no contact, no
narrative, no code, no token. A reason in words stands in the change, hold or erasure that the entry names; only where
nothing else would keep it, for a look at contact, a search or a report of what is held, it stands here (docs/audit.md).
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

ActorSort = Literal["operator", "service", "application", "device", "person", "unknown"]
Name = Literal[
    "application_added",
    "application_revoked",
    "conflict_decided",
    "contact_looked_up",
    "contact_shown",
    "county_acted",
    "county_opened",
    "data_key_made",
    "deadline_rules_installed",
    "detail_erased",
    "device_code_given",
    "device_enrolled",
    "device_grids_changed",
    "device_key_replaced",
    "device_recovered",
    "device_revoked",
    "directory_imported",
    "erased_again",
    "exits_forgotten",
    "exported",
    "extension_decided",
    "hold_lifted",
    "hold_set",
    "kind_installed",
    "leaders_assigned",
    "link_made",
    "link_used",
    "master_key_replaced",
    "matter_shown",
    "narratives_searched",
    "password_changed",
    "quarantine_discarded",
    "quarantine_replayed",
    "record_erased",
    "record_joined",
    "record_split",
    "recovery_code_used",
    "recovery_key_exported",
    "recovery_key_made",
    "restored",
    "retention_changed",
    "retention_done",
    "retention_told",
    "screening_set",
    "second_factor_removed",
    "second_factor_set",
    "sessions_ended",
    "sign_ins_failed",
    "signed_in",
    "signed_out",
    "slip_made",
    "slip_template_set",
    "staff_added",
    "staff_disabled",
    "staff_enabled",
    "staff_scope_changed",
    "township_opened",
    "units_assigned",
    "urging_answered",
    "urging_made",
    "village_defaults_set",
]
TITLES: Final[Mapping[str, str]] = {
    "application_added": "发放应用令牌",
    "application_revoked": "吊销应用令牌",
    "conflict_decided": "核对分歧",
    "contact_looked_up": "按联系方式查号",
    "contact_shown": "查看联系方式",
    "county_acted": "县级办理",
    "county_opened": "开通县级",
    "data_key_made": "更换数据密钥",
    "deadline_rules_installed": "安装时限规则",
    "detail_erased": "抹去审计明细",
    "device_code_given": "发放设备码",
    "device_enrolled": "设备登记",
    "device_grids_changed": "调整设备网格",
    "device_key_replaced": "设备更换密钥",
    "device_recovered": "恢复设备内容",
    "device_revoked": "注销设备",
    "directory_imported": "导入区划",
    "erased_again": "恢复后再次抹去",
    "exits_forgotten": "清理移出通知",
    "exported": "导出台账",
    "extension_decided": "审批延期",
    "hold_lifted": "解除留存",
    "hold_set": "依法留存",
    "kind_installed": "安装表单",
    "leaders_assigned": "指定包案领导",
    "link_made": "发放一次性链接",
    "link_used": "使用一次性链接设置密码",
    "master_key_replaced": "更换主密钥",
    "matter_shown": "出具留存情况",
    "narratives_searched": "检索叙述",
    "password_changed": "修改密码",
    "quarantine_discarded": "隔离区不采用",
    "quarantine_replayed": "隔离区重新处理",
    "record_erased": "抹去记录",
    "record_joined": "并案",
    "record_split": "拆分",
    "recovery_code_used": "使用备用码",
    "recovery_key_exported": "导出恢复密钥",
    "recovery_key_made": "生成恢复密钥",
    "restored": "恢复备份",
    "retention_changed": "调整保存期限",
    "retention_done": "到期清理",
    "retention_told": "出具清理报告",
    "screening_set": "设置走访周期",
    "second_factor_removed": "取消第二验证",
    "second_factor_set": "设置第二验证",
    "sessions_ended": "注销全部登录",
    "sign_ins_failed": "登录失败",
    "signed_in": "登录",
    "signed_out": "退出登录",
    "slip_made": "制作文书",
    "slip_template_set": "修改文书模板",
    "staff_added": "添加人员",
    "staff_disabled": "停用人员",
    "staff_enabled": "恢复人员",
    "staff_scope_changed": "调整人员范围",
    "township_opened": "开通乡镇",
    "units_assigned": "交办单位",
    "urging_answered": "答复催办督办",
    "urging_made": "催办督办",
    "village_defaults_set": "设置村默认分工",
}
Value = str | int | bool | Sequence[str] | Sequence[int] | None


class Actor(msgspec.Struct, frozen=True):
    """Who did it. The operator is whoever can run commands on the server, and no person of a township.

    `unknown` is somebody at the door who has not shown who they are.
    """

    sort: ActorSort
    id: str = ""

    def __str__(self) -> str:
        return f"{self.sort}:{self.id}" if self.id else self.sort


OPERATOR: Final = Actor("operator")
SERVICE: Final = Actor("service")
"""The server itself, by what was declared."""


class Act(msgspec.Struct, frozen=True):
    """One act, to be appended to the chain of its township (or to INSTALLATION's)."""

    township: str
    name: Name
    by: Actor
    at_ms: int
    """The server's time, milliseconds since 1970 UTC."""
    detail: Mapping[str, Value]
