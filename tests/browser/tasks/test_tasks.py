"""Each written task in a real browser, from the inbox to the outcome, in no more clicks than it may take."""

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from server.saying import Language
from tests.browser.tasks.counting import AtWork, at_work
from tests.browser.tasks.furnishing import CALLER, DIFFERING, PAIRS, Town
from tests.browser.tasks.written import TASKS, Task
from tests.server.office_server import NEXT_GRID, VILLAGE

Doing = Callable[[AtWork, Town], None]


def decide_a_difference(desk: AtWork, town: Town) -> None:
    _open_difference(desk, town, DIFFERING[0])
    desk.go(desk.button("采用", "Keep this one").first)
    desk.sees("已核对", "Decided")


def write_a_third_value(desk: AtWork, town: Town) -> None:
    _open_difference(desk, town, DIFFERING[1])
    desk.summary("都不对，另填", "Neither: write another").click()
    desk.types("6", "Tab")
    desk.go(desk.button("采用另填的内容", "Keep what I wrote"))
    desk.sees("已核对", "Decided")
    expect(desk.page.locator("dd.said").nth(1)).to_have_text("6")


def sort_out_two_pairs(desk: AtWork, _: Town) -> None:
    for (title, _other), zh, en in zip(
        PAIRS, ("并案", "标为不是同一件"), ("Join", "Mark as different"), strict=True
    ):
        desk.section("/office/duplicates")
        desk.go(desk.page.locator("[data-rows] a").filter(has_text=title))
        desk.go(desk.button(zh, en).first)
    desk.page.goto("/office/duplicates?status=joined")
    desk.sees(PAIRS[0][0], PAIRS[0][0])
    desk.page.goto("/office/duplicates?status=different")
    desk.sees(PAIRS[1][0], PAIRS[1][0])


def take_a_waiting_change_in(desk: AtWork, _: Town) -> None:
    desk.section("/office/quarantine")
    desk.go(desk.page.locator("[data-rows] a").first)
    desk.page.get_by_label(desk.t("事件规模", "Scale")).select_option("01")
    desk.go(desk.button("补录", "Take it in"))
    desk.page.goto("/office/quarantine")
    desk.sees("没有待处理的上传", "Nothing waits here")


def place_a_ticket(desk: AtWork, town: Town) -> None:
    title = "热线工单：门前道路坑洼"
    desk.section("/office/unplaced")
    desk.page.get_by_label(town.numbers[title]).check()
    desk.page.locator("#place").select_option(NEXT_GRID)
    desk.go(desk.button("放到这里", "Put them there"))
    expect(desk.page.get_by_text(title)).to_have_count(0)


def register_a_walk_in(desk: AtWork, _: Town) -> None:
    desk.section("/office/new")
    desk.types("村西水渠漏水淹了菜地")
    desk.types("下雨后更严重，希望派人看看。", "Tab")
    desk.page.locator("#category").select_option("02")
    desk.page.locator("#village").select_option(VILLAGE)
    desk.page.locator("#name").click()
    desk.types("王建国")
    desk.types("13800138000", "Tab")
    desk.go(desk.button("登记", "Register"))
    desk.state("已上报", "Reported")


def settle_and_close(desk: AtWork, _: Town) -> None:
    desk.find("路灯不亮")
    desk.go(desk.button("当场办结", "Settle on the spot"))
    desk.go(desk.button("办结", "Close"))
    desk.state("已办结", "Closed")


def accept_several(desk: AtWork, town: Town) -> None:
    desk.go(desk.link("新上报，待受理", "Newly reported"))
    for title in ("卫生院门前占道摆摊", "水泥厂夜里扬尘"):
        desk.page.get_by_role("row").filter(has_text=town.numbers[title]).get_by_role("checkbox").check()
    desk.button("受理所选…", "Accept the chosen…").click()
    desk.button("受理这 2 件", "Accept these 2").click()
    desk.sees("已受理", "accepted")


def accept_with_its_notice(desk: AtWork, _: Town) -> None:
    desk.find("自来水压力")
    desk.go(desk.step("受理", "Accept"))
    desk.page.get_by_label(desk.t("接着制作文书", "Make the slip next")).check()
    desk.go(desk.button("受理", "Accept"))
    desk.go(desk.button("制作并编号", "Make and number it"))
    assert desk.downloads(desk.page.locator("#slips").get_by_role("link", name="PDF", exact=True)).startswith(
        b"%PDF-"
    )
    desk.state("已受理", "Accepted")


def assign_with_defaults(desk: AtWork, _: Town) -> None:
    desk.find("鱼塘被邻村")
    desk.go(desk.step("交办", "Assign"))
    desk.go(desk.button("交办", "Assign"))
    desk.state("已交办", "Assigned")
    expect(desk.page.locator("#handling")).to_contain_text("农业农村局")


def do_not_accept(desk: AtWork, _: Town) -> None:
    desk.find("离婚财产分割")
    desk.go(desk.step("不予受理", "Not accept"))
    desk.page.locator("#reason").click()
    desk.types("已经人民法院判决，不在受理范围")
    desk.types("可向原审人民法院申请再审", "Tab")
    desk.page.get_by_label(desk.t("接着制作文书", "Make the slip next")).check()
    desk.go(desk.button("不予受理", "Not accept"))
    desk.go(desk.button("制作并编号", "Make and number it"))
    assert desk.downloads(
        desk.page.locator("#slips").get_by_role("link", name="DOCX", exact=True)
    ).startswith(b"PK")
    desk.state("不予受理", "Not accepted")


def find_by_old_number(desk: AtWork, _: Town) -> None:
    desk.section("/office/ledger")
    desk.page.locator("#number").click()
    desk.types("2019-2")
    with desk.page.expect_navigation():
        desk.page.keyboard.press("Enter")
    desk.go(desk.page.locator("a[data-row]"))
    expect(desk.page.locator("h1")).to_have_text("土地补偿")


def filter_keep_export(desk: AtWork, _: Town) -> None:
    desk.section("/office/ledger")
    desk.page.locator("#village").select_option(VILLAGE)
    desk.page.locator("#due").select_option("overdue")
    desk.go(desk.button("筛选", "Filter"))
    desk.summary("我的视图", "My views").click()
    desk.page.locator("#view").click()
    desk.types("潘元村超期")
    desk.go(desk.button("保存", "Keep"))
    desk.summary("导出", "Export").click()
    assert desk.downloads(desk.page.get_by_role("link", name="Excel")).startswith(b"PK")
    expect(desk.page.get_by_text("北河桥头两家争宅基地边界")).to_be_visible()
    expect(desk.page.get_by_text("低保复核结果没有告知本人")).to_have_count(0)


def look_up_a_caller(desk: AtWork, town: Town) -> None:
    desk.section("/office/ledger")
    desk.button("来电查号", "Caller without a number").click()
    desk.types(CALLER)
    desk.types("本人来电询问办理进度", "Tab")
    desk.page.keyboard.press("Enter")
    expect(
        desk.page.locator("#numbers-found").get_by_text(town.numbers["砖厂拖欠农民工工资"])
    ).to_be_visible()


def show_contact(desk: AtWork, _: Town) -> None:
    desk.find("敬老院")
    desk.summary("查看完整信息（将留痕）", "Show in full (recorded)").click()
    desk.types("电话约调解时间", "Tab")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator("#people")).to_contain_text(CALLER)


def urge(desk: AtWork, _: Town) -> None:
    desk.find("出租屋押金")
    desk.summary("催办、督办", "Urge or supervise").click()
    desk.types("请三日内反馈办理情况", "Tab", "Tab")
    desk.go(desk.button("发出", "Send"))
    expect(desk.page.locator("#handling")).to_contain_text("请三日内反馈办理情况")


def answer_visit_close(desk: AtWork, _: Town) -> None:
    desk.find("拖欠农民工工资")
    desk.go(desk.step("答复", "Answer"))
    desk.page.locator("textarea[required]").first.click()
    desk.types("工资已于本月十日全部付清。")
    desk.go(desk.button("答复", "Answer"))
    desk.state("已答复", "Answered")
    desk.go(desk.step("办结", "Close"))
    desk.page.get_by_label(desk.t("满意度", "Satisfaction")).select_option("satisfied")
    desk.go(desk.button("办结", "Close"))
    desk.state("已办结", "Closed")


def ask_for_an_extension(desk: AtWork, _: Town) -> None:
    desk.find("征地青苗补偿款")
    desk.summary("申请延期", "Ask for an extension").click()
    desk.types("评估机构尚未出具结果", "Tab", "Tab")
    desk.go(desk.button("申请", "Ask"))
    desk.sees("待审批", "Waits for approval")


def approve_it(desk: AtWork, _: Town) -> None:
    desk.go(desk.page.locator("section", has_text=desk.t("延期申请待批", "Extensions to approve")).locator(
        "[data-row]"
    ).first)  # fmt: skip
    desk.page.get_by_placeholder(desk.t("审批意见", "Why")).click()
    desk.types("同意延期三十日")
    desk.go(desk.button("同意", "Approve"))
    desk.sees("已同意", "Approved")


def see_who_reported(desk: AtWork, _: Town) -> None:
    desk.section("/office/rounds")
    came = desk.page.get_by_role("row").filter(has_text=desk.t("按时报告", "Reported in time"))
    expect(came).to_contain_text("李四")


def replace_a_device(desk: AtWork, _: Town) -> None:
    desk.section("/office/devices")
    desk.go(desk.link("王五", "王五"))
    desk.page.locator("#reason").click()
    desk.types("入户时丢失")
    desk.go(desk.button("停用", "Revoke"))
    desk.section("/office/devices")
    desk.button("设备登记", "Enrol a device").click()
    desk.page.locator("#worker").select_option(label="王五")
    desk.page.locator("#grid").select_option(NEXT_GRID)
    desk.button("生成设备码", "Make a code").click()
    expect(desk.page.get_by_role("img")).to_be_visible()


DOING: Final[tuple[Doing, ...]] = (
    decide_a_difference,
    write_a_third_value,
    sort_out_two_pairs,
    take_a_waiting_change_in,
    place_a_ticket,
    register_a_walk_in,
    settle_and_close,
    accept_several,
    accept_with_its_notice,
    assign_with_defaults,
    do_not_accept,
    find_by_old_number,
    filter_keep_export,
    look_up_a_caller,
    show_contact,
    urge,
    answer_visit_close,
    ask_for_an_extension,
    see_who_reported,
    replace_a_device,
)
SECOND: Final[dict[Doing, Doing]] = {ask_for_an_extension: approve_it}
"""What the second person does, where it takes two."""


@pytest.mark.parametrize(
    ("task", "doing"), list(zip(TASKS, DOING, strict=True)), ids=[one.__name__ for one in DOING]
)
def test_a_task(browser: Browser, town: Town, language: Language, task: Task, doing: Doing) -> None:
    who = town.administrator if doing is replace_a_device else town.clerk
    with at_work(browser, town.office, who, language) as desk:
        doing(desk, town)
        clicks, seconds = desk.counted("clicks"), desk.seconds()
    if doing in SECOND:
        with at_work(browser, town.office, town.leader, language) as desk:
            SECOND[doing](desk, town)
            clicks += desk.counted("clicks")
    assert 0 < clicks <= task.clicks, f"{task.en}: {clicks} clicks"
    assert task.seconds is None or seconds <= task.seconds, f"{task.en}: {seconds:.0f} s of typing"


def _open_difference(desk: AtWork, town: Town, title: str) -> None:
    """The one about how many people it concerns."""
    desk.section("/office/differences")
    row = desk.page.get_by_role("row").filter(has_text=town.numbers[title])
    desk.go(row.filter(has_text=desk.t("涉及人数", "People involved")).get_by_role("link"))
