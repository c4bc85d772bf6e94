"""Which pages there are, in the order in which they stand, and which of them a role sees. Pure."""

from typing import Final

import msgspec

from server.rights import rights


class Section(msgspec.Struct, frozen=True):
    """A page in the navigation. Whoever may do its action sees it."""

    path: str
    action: str
    zh: str
    en: str


SECTIONS: Final = (
    Section("/office", "inbox.open", "待办", "Inbox"),
    Section("/office/mine", "mine.open", "我的", "Mine"),
    Section("/office/new", "records.create", "登记", "Register"),
    Section("/office/ledger", "records.list", "台账", "Ledger"),
    Section("/office/differences", "conflicts.list", "内容待核对", "Values differ"),
    Section("/office/duplicates", "records.join", "疑似重复", "Possible duplicates"),
    Section("/office/quarantine", "quarantine.list", "待处理上传", "Waiting changes"),
    Section("/office/unplaced", "records.create", "没有位置的", "Without a place"),
    Section("/office/rounds", "rounds.list", "日报告", "Daily reports"),
    Section("/office/devices", "devices.list", "设备", "Devices"),
    Section("/office/people", "people.list", "人员", "People"),
    Section("/office/places", "places.list", "村和网格", "Villages and grids"),
    Section("/office/import", "matters.import", "导入旧台账", "Import"),
    Section("/office/settings/slips", "slips.set_words", "文书模板", "Words of slips"),
    Section("/office/settings/villages", "villages.set_defaults", "各村默认分工", "Defaults of villages"),
)

_LIES_UNDER: Final = {"/office/matters/": "/office/ledger", "/office/affairs/": "/office/ledger"}
"""Pages that have no section of their own: a case file is found in the ledger."""


def sections(role: str) -> list[Section]:
    """Those that a role sees."""
    table = rights()
    return [one for one in SECTIONS if table.actions[one.action].scope_of(role) is not None]


def current(path: str, shown: list[Section]) -> Section | None:
    """The section that a path belongs to: the longest that it begins with."""
    path = next((under for begin, under in _LIES_UNDER.items() if path.startswith(begin)), path)
    inside = [one for one in shown if path == one.path or path.startswith(f"{one.path}/")]
    return max(inside, key=lambda one: len(one.path), default=None)
