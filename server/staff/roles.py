"""Roles: the words of kinds and commands, and those of the office."""

from typing import Final

from sync_protocol.kinds.declaration import ROLES

TITLES: Final = {
    "grid_worker": "网格员",
    "village_officer": "村（社区）干部",
    "clerk": "综治中心工作人员",
    "leader": "包案领导",
    "unit_handler": "主办、协办单位人员",
    "administrator": "管理员",
    "county_handler": "县级经办人",
    "county_observer": "县级查看人",
}
"""The roles that a person may have. An application has a role of its own and is no person."""

_BY_TITLE: Final = {title: role for role, title in TITLES.items()}


def role_of(word: str) -> str | None:
    """The role that a word names, in English or Chinese; None when it names none."""
    role = _BY_TITLE.get(word, word)
    return role if role in TITLES and role in ROLES else None
