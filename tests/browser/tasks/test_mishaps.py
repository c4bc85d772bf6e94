"""What goes wrong in an office: two at once, a session that ends, a double click, the way back, a hostile title."""

from typing import Any, Final

from playwright.sync_api import Browser, Page, expect

from server.casefile import undertaking, urging
from server.casefile.undertaking import Handling
from server.casefile.urging import NewUrging
from server.records import service as records
from server.records.creating import NewRecord
from server.records.writing import Target
from server.saying import Language
from tests.browser.office import PHONE
from tests.browser.tasks.counting import AtWork, at_work
from tests.browser.tasks.furnishing import DIFFERING, HOSTILE, Town
from tests.browser.tasks.pages import TOO_WIDE
from tests.casefile.office import Office
from tests.ledger.desk import Desk
from tests.server.office_server import TOWN, VILLAGE
from tests.server.people import PASSWORD, Somebody

IDLE_MS: Final = 31 * 60_000


def test_the_second_of_two_reviewers_is_told(browser: Browser, town: Town, language: Language) -> None:
    with (
        at_work(browser, town.office, town.clerk, language) as first,
        at_work(browser, town.office, town.colleague, language) as second,
    ):
        for desk in (first, second):
            desk.section("/office/differences")
            row = desk.page.get_by_role("row").filter(has_text=town.numbers[DIFFERING[2]]).first
            desk.go(row.get_by_role("link"))
            desk.page.locator("#reason").fill("已到现场核实")
        first.go(first.button("采用", "Keep this one").first)
        second.button("采用", "Keep this one").last.click()
        expect(second.page.get_by_role("alert")).to_be_visible()
        expect(second.page.locator("#reason")).to_have_value("已到现场核实")
        second.page.reload()
        second.sees(f"已核对：{town.clerk.row.name}", f"Decided：{town.clerk.row.name}")


def test_a_double_click_is_one_slip_and_one_urging(browser: Browser, town: Town, language: Language) -> None:
    record = town.records["出租屋押金不退"]
    with at_work(browser, town.office, town.clerk, language) as desk:
        desk.page.goto(f"/office/matters/{record}/slips/new/acceptance")
        desk.button("制作并编号", "Make and number it").dblclick()
        desk.page.wait_for_url(f"**/matters/{record}*")
        expect(desk.page.locator("#slips tbody tr")).to_have_count(1)
        desk.summary("催办、督办", "Urge or supervise").click()
        desk.page.locator("#urge-words").fill("请抓紧")
        with desk.page.expect_navigation():
            desk.button("发出", "Send").dblclick()
        expect(desk.page.locator("#handling .plain-list li")).to_have_count(1)


def test_the_way_back_finds_what_was_there_and_does_nothing_twice(
    browser: Browser, town: Town, language: Language
) -> None:
    title = "返回键：门口堆放沙石"
    with at_work(browser, town.office, town.clerk, language) as desk:
        desk.page.goto("/office/ledger?words=路灯")
        desk.go(desk.page.locator("a[data-row]").first)
        desk.page.go_back()
        expect(desk.page.locator("#words")).to_have_value("路灯")
        desk.page.goto("/office/new")
        desk.page.locator("#title").fill(title)
        desk.page.locator("#village").select_option(VILLAGE)
        desk.go(desk.button("登记", "Register"))
        desk.page.go_back()
        if desk.page.locator(
            "#title"
        ).input_value():  # the browser kept the form: pressing again says the same
            desk.go(desk.button("登记", "Register"))
    assert town.office.run(Desk(town.office.server).titles, words="堆放沙石") == [title]


def test_a_hostile_title_is_a_title_wherever_it_is_shown(
    browser: Browser, town: Town, language: Language
) -> None:
    one, other = town.office.run(_set_the_trap, town)
    with at_work(browser, town.office, town.clerk, language, PHONE) as desk:
        for path in _paths(one, other):
            desk.page.goto(f"/office{path}")
            _is_only_text(desk.page)
        for path in ("/office/differences", "/office/quarantine"):
            desk.page.goto(path)
            desk.go(desk.page.locator("a[data-row]").last)  # the oldest stand first
            _is_only_text(desk.page)
        _is_suggested(desk)
    with at_work(browser, town.office, town.leader, language, PHONE) as desk:
        _is_only_text(desk.page)


def test_a_session_that_ends_in_a_form_loses_nothing(
    browser: Browser, town: Town, language: Language
) -> None:
    title = "会话过期：电线杆歪斜"
    who: Somebody = town.office.person("clerk", "孙丽")
    with at_work(browser, town.office, who, language) as desk:
        desk.page.goto("/office/new")
        desk.page.locator("#village").select_option(VILLAGE)
        town.office.server.now_ms += IDLE_MS
        dialog = desk.page.locator("#again")
        with desk.page.expect_response(lambda answer: answer.status == 401):
            desk.page.locator("#title").fill(
                title
            )  # what the page asks meanwhile takes no key from who types
        desk.page.locator("#narrative").fill("已经歪了三天。")
        expect(dialog).to_be_hidden()
        desk.button("登记", "Register").click()
        expect(dialog).to_be_visible()
        dialog.locator("[name=password]").fill(PASSWORD)
        dialog.get_by_role("button").click()
        expect(dialog).to_be_hidden()
        expect(desk.page.locator("#narrative")).to_have_value("已经歪了三天。")
        desk.go(desk.button("登记", "Register"))
        expect(desk.page.locator("h1")).to_have_text(title)
    assert town.office.run(Desk(town.office.server).titles, words="电线杆歪斜") == [title]


def _paths(one: str, other: str) -> tuple[str, ...]:
    """The pages that show the title of a matter, or the name of a worker."""
    case = f"/matters/{one}"
    return (
        *("", "/inbox/reported", "/ledger", "/unplaced", "/duplicates", f"/duplicates/{one}/{other}"),
        *(case, f"{case}/steps/return", f"{case}/entries/answers/new", f"{case}/slips/new/answer"),
        *(f"{case}/handling", f"/affairs/{one}", "/devices", "/rounds", "/places", "/people"),
    )


def _is_only_text(page: Page) -> None:
    expect(page.get_by_text("{{7*7}}").or_(page.locator("[value*='{{7*7}}']")).first).to_be_attached()
    assert page.evaluate("window.hostile") is None, f"the title ran as a program: {page.url}"
    assert page.locator("img[src=x], main script").count() == 0, page.url
    wide = page.evaluate(TOO_WIDE)
    assert wide <= 0, f"{page.url} is wider than a phone by {wide}"


def _is_suggested(desk: AtWork) -> None:
    """While a matter like it is registered."""
    desk.page.goto("/office/new")
    desk.page.locator("#village").select_option(VILLAGE)
    desk.page.locator("#title").fill(HOSTILE)
    expect(desk.page.locator("#similar").get_by_text("{{7*7}}").first).to_be_visible()
    _is_only_text(desk.page)


async def _set_the_trap(town: Town) -> tuple[str, str]:
    """The title in every queue; two matters that have it."""
    server = town.office.server
    case = Office(server)
    given: dict[str, Any] = {"narrative": HOSTILE, "people_involved": 3}
    one, other = [await case.matter(HOSTILE, **given) for _ in range(2)]
    nowhere = NewRecord("matter", server.new_id(), TOWN, {"title": HOSTILE, "nature": "dispute"})
    await records.create(server.services, case.caller("records.create"), nowhere)
    version = (await server.state(one)).version
    for device in [await server.device(worker) for worker in (HOSTILE[:40], "赵六")]:
        said = {"narrative": f"{HOSTILE}{device.id}"}
        await device.push(device.change(one, base=version, fields=said))
        wrong = {"title": HOSTILE, "nature": "dispute", "scale": "99"}
        await device.push(device.create(fields=wrong))
    asked = NewUrging("urge", HOSTILE)
    await urging.make(server.services, case.caller("urgings.make"), Target(one), asked)
    leader = Handling([town.leader.row.staff_id])
    await undertaking.put(server.services, case.caller("assignments.set"), one, leader)
    return one, other
