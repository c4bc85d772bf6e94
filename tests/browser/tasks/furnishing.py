"""A township's office in the middle of its work: matters of every state, and something in every queue.

Titles say which task works on them, so that no task depends on another.
"""

from typing import Any, Final

import msgspec
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.casefile import undertaking, urging
from server.casefile.undertaking import Handling
from server.casefile.urging import NewUrging
from server.deadlines.keeping import keep
from server.intake.importing import import_sheet
from server.records.writing import Target
from server.storage import tables
from server.storage.engine import transact
from tests.browser.office import LiveOffice
from tests.casefile.office import Office
from tests.intake.test_intake import GOOD, workbook
from tests.ledger.desk import CLERK, Desk
from tests.server.office_server import GRID, NEXT_GRID, TOWN, VILLAGE
from tests.server.office_server import Device as FieldDevice
from tests.server.people import Somebody, signed_in, somebody

DAY_MS: Final = 86_400_000
UNIT: Final = "司法所"
CALLER: Final = "13912345678"
HOSTILE: Final = (
    "{{7*7}}<img src=x onerror=hostile=1>\u202eרעה\u200f<script>hostile=1</script></td></table> "
    + "长标题" * 40 + "x" * 60
)[:200]  # fmt: skip

# Reported five weeks ago: by now they are overdue, unless they are further on.
OLD: Final = (
    ("北河桥头两家争宅基地边界", "03", ()),
    ("征地青苗补偿款三年未到户", "08", ("accept", "handle")),
    ("砖厂拖欠农民工工资", "10", ("accept", "handle", "resolve")),
    ("邻里因排水沟走向起争执", "02", ("accept",)),
    ("果园承包合同到期不退地", "04", ("accept", "handle", "resolve", "close")),
)
NEW: Final = (
    ("小学门口路灯不亮，放学时看不清", "99", ()),
    ("卫生院门前占道摆摊", "99", ()),
    ("水泥厂夜里扬尘", "09", ()),
    ("自来水压力不足，三楼上不去水", "99", ()),
    ("低保复核结果没有告知本人", "99", ()),
    ("要求撤销法院已判决的离婚财产分割", "01", ()),
    ("鱼塘被邻村鸭群糟蹋", "06", ("accept",)),
    ("敬老院食堂伙食问题", "99", ("accept",)),
    ("出租屋押金不退", "04", ("accept", "handle")),
)
PAIRS: Final = (
    ("潘元村东头变压器夜里噪音扰民", "村东头变压器夜里噪音太大扰民"),
    ("三组水井旁垃圾成堆无人清运", "三组水井旁垃圾堆成山没人清运"),
)
DIFFERING: Final = ("东渠清淤款分摊不均", "村西桥护栏损坏", "打谷场堆放秸秆", "老年活动室漏雨")
STORY: Final = "{}，村里说过两次，还没有人来看。"


class Town(msgspec.Struct, frozen=True):
    """The office, and who works in it."""

    office: LiveOffice
    clerk: Somebody
    colleague: Somebody
    leader: Somebody
    administrator: Somebody
    records: dict[str, str]
    """By title."""
    numbers: dict[str, str]
    """By title."""


async def furnish(office: LiveOffice) -> Town:
    """Fills it; the server's clock stands five weeks later afterwards, on a Monday morning."""
    server, desk = office.server, Desk(office.server)
    leader = await somebody(server, "leader", "周书记")
    records = {title: await _matter(desk, title, category, steps) for title, category, steps in OLD}
    await _handled(Office(server), records, leader)
    server.now_ms += 35 * DAY_MS + 10 * 3_600_000
    records |= {title: await _matter(desk, title, category, steps) for title, category, steps in NEW}
    for pair in PAIRS:
        records |= {title: await _matter(desk, title, "02") for title in pair}
    for title in ("热线工单：门前道路坑洼", "热线工单：广场舞噪音"):
        records[title] = await _matter(desk, title, "99", place=TOWN)
    await import_sheet(server.services, CLERK, workbook(*GOOD), dry_run=False)
    await _field(server, await _differing(desk, records))
    await keep(server.services, TOWN)
    await leader.sign_in()
    people = [
        await signed_in(server, role, name)
        for role, name in (("clerk", "陈静"), ("clerk", "吴敏"), ("administrator", "钱主任"))
    ]
    numbers = {title: (await server.state(one)).number or "" for title, one in records.items()}
    clerk, colleague, administrator = people
    return Town(office, clerk, colleague, leader, administrator, records, numbers)


async def _matter(
    desk: Desk, title: str, category: str, steps: tuple[str, ...] = (), place: str = GRID, **more: Any
) -> str:
    applicant = {"role": "applicant", "name": "王某", "contact": CALLER, "safe_contact": "只在白天打"}
    said = {"narrative": f"反映：{title}。", "category": category, "source": "walk_in", **more}
    record = await desk.report(title, place, parties=[applicant], **said)
    await desk.act(record, *steps)
    return record


async def _handled(desk: Office, records: dict[str, str], leader: Somebody) -> None:
    """Who handles what, and what a village starts with."""
    given = Handling([leader.row.staff_id], UNIT, ["派出所", "农业农村局"], "三人小组", "先核实，再议补偿。")
    may = desk.caller("assignments.set")
    await undertaking.put(desk.services, may, records["征地青苗补偿款三年未到户"], given)
    defaults = Handling([], "农业农村局", ["潘元村委会"])
    may = desk.caller("villages.set_defaults", "administrator")
    await undertaking.put_defaults(desk.services, may, VILLAGE, defaults)
    asked = NewUrging("urge", "请三日内反馈办理情况")
    record = records["征地青苗补偿款三年未到户"]
    await urging.make(desk.services, desk.caller("urgings.make"), Target(record), asked)


async def _differing(desk: Desk, records: dict[str, str]) -> list[FieldDevice]:
    """Two workers who were in the same places, and say different things of them."""
    one, two = await desk.server.device("李四"), await desk.server.device("王五")
    for title in DIFFERING:
        records[title] = made = await _matter(
            desk, title, "07", place=NEXT_GRID, people_involved=3, narrative=STORY.format(title)
        )
        version = (await desk.server.state(made)).version
        for device, people, since in ((one, 5, "一个月"), (two, 7, "半个多月")):
            said = {"people_involved": people, "narrative": STORY.format(f"{title}{since}了")}
            await device.push(device.change(made, base=version, fields=said))
    return [one, two]


async def _field(server: Any, devices: list[FieldDevice]) -> None:
    """A change that waits, a daily report, and when devices were heard of."""
    one, two = devices
    await two.push(
        two.create(fields={"title": "河边发现无人看管的农药桶", "nature": "hazard", "scale": "99"})
    )
    day = "2025-07-21"
    said = {"period_start": day, "period_end": day, "visits": 12, "found": 2}
    await one.push(one.create(kind="round_report", fields=said))

    async def heard(connection: AsyncConnection) -> None:
        for device, ago in ((one, 600_000), (two, 5 * DAY_MS)):
            mine = tables.devices.c.device_id == device.id
            given = {"contact_ms": server.now_ms - ago, "queued": 3}
            await connection.execute(update(tables.devices).where(mine).values(**given))

    await transact(server.services.engine, heard)
