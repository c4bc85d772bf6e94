"""What the office had before the round: an old ledger in a spreadsheet, and who first gets the matters of a village."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final

from openpyxl import Workbook

from demo.people import UNIT, Invited
from demo.plan import TOWNSHIP
from server.casefile import undertaking
from server.casefile.undertaking import Handling
from server.intake.importing import import_sheet
from server.reach import Caller, Reach
from server.services import Services

_HEADINGS: Final = ("编号", "标题", "村（社区）", "类别", "日期", "姓名", "电话", "状态", "答复")
_MATTERS: Final = (
    ("灌溉渠占地补偿", "征地拆迁", "2024-03-11", "已办结", "补偿款已按协议发放。"),
    ("院墙越界", "房产宅基地", "2024-06-02", "已办结", "双方签订调解协议，已各自退让。"),
    ("鱼塘承包到期未清", "山林土地", "2024-09-19", "已办结", "已清塘移交。"),
    ("村道加宽移树", "其他", "2025-01-08", "办理中", ""),
    ("老水塔拆除", "其他", "2025-04-23", "办理中", ""),
    ("工地拖欠工钱", "劳动争议", "2025-07-30", "已办结", "工钱已结清。"),
)
"""Title, category, day, state, answer: invented, as everybody here."""


async def take_over(services: Services, clerk: Invited, villages: Mapping[str, str]) -> None:
    """Imports the ledger and sets the defaults of every village, as the clerk would. `villages`: names by code."""
    caller = Caller(
        clerk.id, clerk.colleague.name, clerk.colleague.role, Reach((TOWNSHIP,)), frozenset({"contact:write"})
    )
    taken = await import_sheet(services, caller, _workbook(list(villages.values())), dry_run=False)
    if taken.refused or taken.new != len(_MATTERS):
        message = f"the old ledger was not taken over: {taken.refused or taken.new}"
        raise RuntimeError(message)
    for village, name in villages.items():
        await undertaking.put_defaults(services, caller, village, Handling(lead=UNIT, with_units=[name]))


def _workbook(villages: Sequence[str]) -> BytesIO:
    """The ledger as a spreadsheet, with the name of the office above its headings."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["元竹镇信访登记台账"])
    sheet.append(_HEADINGS)
    for at, (title, category, day, state, answer) in enumerate(_MATTERS):
        number, village = f"{day[:4]}-{at + 1:03}", villages[at % len(villages)]
        sheet.append([number, title, village, category, day, "", "", state, answer])
    file = BytesIO()
    book.save(file)
    file.seek(0)
    return file
