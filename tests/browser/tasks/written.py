"""The tasks of a clerk's day, as they are written in docs/office-guide.zh.md: what is to be done, in how many clicks.

A click is a press of the mouse or a finger, from the inbox to the outcome; a choice from a list is two of them, and so
is a file. What is typed is not a click.
"""

from typing import Final

import msgspec


class Task(msgspec.Struct, frozen=True):
    """One task, and how many clicks it may take."""

    number: int
    zh: str
    en: str
    clicks: int
    seconds: int | None = None
    """How long the work of hands may take, where it is typing that counts."""


TASKS: Final = (
    Task(1, "核对一处不一致的内容，采用其中一个", "decide a difference", 3),
    Task(2, "两处都不对，另填一个", "write a third value", 4),
    Task(3, "两对疑似重复：一对并案，一对标为不是同一件", "join a pair, and mark another as different", 6),
    Task(4, "更正并补录一条待处理上传", "correct a waiting change and take it in", 5),
    Task(5, "给没有位置的事项放到网格", "place a ticket that came without a place", 5),
    Task(6, "登记一位来访群众", "register a walk-in", 7, seconds=60),
    Task(7, "当场办结，并办结", "settle on the spot and close", 4),
    Task(8, "一次受理几件新上报的事项", "accept several at once", 5),
    Task(9, "受理，并出受理告知", "accept, and make the acceptance notice", 7),
    Task(10, "按本村默认分工交办", "assign with the defaults of the village", 4),
    Task(11, "不予受理，说明去向，并出告知", "do not accept, say where to go, make the notice", 8),
    Task(12, "按旧台账的编号找到事项", "find a matter by an old number", 3),
    Task(13, "筛出一个村的超期事项，存为视图，导出", "filter, keep as a view, export", 11),
    Task(14, "来电人不记得编号，按电话查", "look up a caller without a number", 3),
    Task(15, "写明事由，查看完整联系方式", "show contact in full for a reason", 3),
    Task(16, "催办", "urge", 4),
    Task(17, "答复、回访、办结", "answer, visit again, close", 9),
    Task(18, "申请延期，由包案领导同意", "ask for an extension, and the leader approves", 8),
    Task(19, "看哪些网格交了日报告", "see which daily reports have come", 1),
    Task(20, "停用丢失的设备，登记新设备（管理员）", "revoke a lost device and enrol another", 11),
)
