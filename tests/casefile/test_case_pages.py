"""The case file in the browser's words: forms, clashes, contact, papers."""

import re
from html import unescape

from server.casefile import undertaking, urging
from server.deadlines.keeping import keep
from server.joins import service as joins
from server.records import assigning
from server.records.reading import history
from server.records.writing import Target
from tests.casefile.office import HOSTILE, NAME, NUMBER, Office, docx_text
from tests.casefile.pages import Desk, desk, hidden, steps_of
from tests.server.office_server import TOWN, VILLAGE
from tests.server.people import signed_in

DAY_MS = 86_400_000


async def test_a_clerk_settles_on_the_spot_and_closes_in_two_clicks(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}"
    for step in ("settle", "close"):
        done = await clerk.submit(path, f"{path}/steps/{step}")
        assert done.status_code == 200, done.text
        assert done.headers["hx-redirect"] == f"/office{path}"
    assert (await office.server.state(record)).state == "closed"


async def test_the_page_shows_everything_and_no_contact(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter(HOSTILE.replace("\x0b", ""))
    page = await clerk.see(f"/matters/{record}")
    assert page.status_code == 200, page.text
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
    assert NAME not in page.text
    assert NUMBER not in page.text
    assert "只在白天打" in page.text
    assert steps_of(page.text) >= {"settle", "return", "accept", "not_accept", "refer", "void"}


async def test_a_double_click_is_one_change(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}"
    page = await clerk.see(f"{path}/steps/accept")
    said = hidden(page.text, f"{path}/steps/accept")
    for _ in range(2):
        done = await clerk.send(f"{path}/steps/accept", **said)
        assert done.status_code == 200, done.text
    assert await _changes(office, record) == ["create", "accept"]


async def test_a_second_click_on_a_step_that_brings_an_entry_is_the_same_step(office: Office) -> None:
    """The record has the answer by then, and the step has been taken: the form must not read differently for that."""
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}/steps"
    assert (await clerk.submit(f"{path}/accept", f"{path}/accept")).status_code == 200
    assert (await clerk.submit(f"{path}/resolve", f"{path}/resolve", note="调解成功")).status_code == 200
    said = hidden((await clerk.see(f"{path}/answer")).text, f"{path}/answer")
    for _ in range(2):
        done = await clerk.send(f"{path}/answer", **said, **{"answers/.f.text": "已当面答复"})
        assert done.status_code == 200, done.text
    assert len((await office.server.state(record)).values["answers"]) == 1
    assert (await _changes(office, record))[-2:] == ["resolve", "answer"]


async def test_a_clash_is_told_with_both_values_and_sent_again_on_what_stands(office: Office) -> None:
    clerk, other = await desk(office, "clerk"), await desk(office, "administrator")
    record = await office.matter()
    path = f"/matters/{record}/fields/title"
    mine, theirs = [hidden((await one.part(path)).text, path) for one in (clerk, other)]
    assert (await other.send(path, **theirs, **{"f.title": "灌渠纠纷"})).status_code == 200
    told = await clerk.send(path, **mine, **{"f.title": "水渠、灌渠纠纷"})
    assert told.status_code == 412
    assert "灌渠纠纷" in told.text
    assert "水渠、灌渠纠纷" in told.text
    again = re.search(r'name="seen" value="(\d+)"', told.text)
    assert again is not None
    done = await clerk.send(path, **{**mine, "f.title": "水渠、灌渠纠纷", "seen": again[1]})
    assert done.status_code == 200, done.text
    assert (await office.server.state(record)).values["title"] == "水渠、灌渠纠纷"


async def test_other_fields_merge_and_what_was_not_touched_is_not_put_back(office: Office) -> None:
    clerk, other = await desk(office, "clerk"), await desk(office, "administrator")
    record = await office.matter()
    form = f"/matters/{record}/entries/measures/new"
    assert (await clerk.submit(form, form, **{"f.text": "上门调解"})).status_code == 200
    entry = next(iter((await office.server.state(record)).values["measures"]))
    path = f"/matters/{record}/entries/measures/{entry}"
    mine, theirs = [hidden((await one.see(path)).text, path) for one in (clerk, other)]
    assert (await other.send(path, **theirs, **{"f.text": "上门调解两次"})).status_code == 200
    done = await clerk.send(path, **mine, **{"f.text": "上门调解", "f.unit": "司法所"})
    assert done.status_code == 200, done.text
    stands = (await office.server.state(record)).values["measures"][entry]
    assert (stands["text"], stands["unit"]) == ("上门调解两次", "司法所")


async def test_a_masked_party_that_is_edited_keeps_its_number(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}/entries/parties/{await office.party(record)}"
    page = await clerk.see(path)
    assert NUMBER not in page.text
    done = await clerk.submit(
        path,
        path,
        **{"f.role": "applicant", "f.name": "***", "f.contact": "138****8000", "f.safe_contact": "晚上再打"},
    )
    assert done.status_code == 200, done.text
    (party,) = (await office.server.state(record)).values["parties"].values()
    assert (party["name"], party["contact"], party["safe_contact"]) == (NAME, NUMBER, "晚上再打")


async def test_contact_in_full_needs_a_reason_and_goes_back_by_itself(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}/contact"
    refused = await clerk.send(path, reason="看")
    assert refused.status_code == 422
    assert NUMBER not in refused.text
    shown = await clerk.send(path, reason="电话约定调解时间")
    assert NUMBER in shown.text
    assert f'hx-get="/office{path}" hx-trigger="load delay:600s"' in shown.text
    assert NUMBER not in (await clerk.part(path)).text


async def test_contact_is_counted_together_wherever_it_is_asked_for(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path, why = f"/matters/{record}", "电话约定调解时间"
    shown = [(await clerk.send(f"{path}/contact", reason=why)).status_code for _ in range(29)]
    shown.append((await clerk.send(f"{path}/print", reason=why)).status_code)
    assert shown == [200] * 30
    refused = [await clerk.send(f"{path}/{way}", reason=why) for way in ("contact", "print")]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert "请一分钟后再试" in refused[0].text
    assert NUMBER not in refused[0].text


async def test_a_return_names_the_fields_and_the_reason(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}/steps/return"
    lacking = await clerk.submit(path, path)
    assert lacking.status_code == 422
    assert "请写明理由" in lacking.text
    assert (
        await clerk.submit(path, path, reason="看不清", fields=["place_description", "narrative"])
    ).status_code == 200
    page = await clerk.see(f"/matters/{record}")
    assert "请补正：情况叙述、地点。看不清" in page.text


async def test_a_step_brings_what_it_needs_claim_by_claim(office: Office) -> None:
    clerk = await desk(office, "clerk")
    record = await office.matter(claims=[{"text": "清淤"}, {"text": "赔偿"}])
    path = f"/matters/{record}/steps"
    first, second = sorted((await office.server.state(record)).values["claims"])
    for step, said in (
        ("accept", {}),
        (
            "resolve",
            {
                "note": "调解成功",
                f"claims/{first}.f.result": "resolved",
                f"claims/{second}.f.justified": "no",
            },
        ),
        ("answer", {"answers/.f.text": "已清淤；赔偿无依据。", "answers/.f.channel": "phone"}),
    ):
        done = await clerk.submit(f"{path}/{step}", f"{path}/{step}", **said)
        assert done.status_code == 200, (step, done.text)
    lacking = await clerk.submit(f"{path}/close", f"{path}/close")
    assert lacking.status_code == 422
    assert "回访" in lacking.text
    done = await clerk.submit(f"{path}/close", f"{path}/close", **{"follow_ups/.f.satisfaction": "satisfied"})
    assert done.status_code == 200, done.text
    state = await office.server.state(record)
    assert state.state == "closed"
    assert state.values["claims"][first]["result"] == "resolved"
    assert state.values["claims"][second]["justified"] == "no"
    assert [one["satisfaction"] for one in state.values["follow_ups"].values()] == ["satisfied"]


async def test_not_accepting_says_where_to_go_and_the_slip_says_it_too(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}/steps/not_accept"
    assert (await clerk.submit(path, path, reason="已进入诉讼")).status_code == 422
    done = await clerk.submit(path, path, reason="已进入诉讼", note="泰兴市人民法院", slip="not_accepted")
    slip = done.headers["hx-redirect"].removeprefix("/office")
    assert slip == f"/matters/{record}/slips/new/not_accepted"
    form = await clerk.see(slip)
    assert "已进入诉讼" in form.text
    assert "泰兴市人民法院" in form.text


async def test_assigning_starts_with_the_defaults_of_the_village_and_never_gives_to_nobody(
    office: Office,
) -> None:
    clerk, leader = await desk(office, "clerk"), await desk(office, "leader")
    who = leader.who.row.staff_id
    said = {"lead": "司法所", "with_units": "派出所、农业站", "leaders": who, "team": "三人小组"}
    assert (await clerk.send(f"/settings/villages/{VILLAGE}", **said)).status_code == 200
    record = await office.matter()
    path = f"/matters/{record}/steps"
    assert (await clerk.submit(f"{path}/accept", f"{path}/accept")).status_code == 200
    form = await clerk.see(f"{path}/assign")
    for word in ("司法所", "派出所、农业站", "三人小组", f'value="{who}" checked'):
        assert word in form.text
    nobody = await clerk.submit(f"{path}/assign", f"{path}/assign")
    assert nobody.status_code == 422
    assert (await office.server.state(record)).state == "accepted"
    assert (await leader.see(f"/matters/{record}")).status_code == 404
    assert (await clerk.submit(f"{path}/assign", f"{path}/assign", **said)).status_code == 200
    assert (await leader.see(f"/matters/{record}")).status_code == 200


async def test_urging_stands_until_it_is_answered(office: Office) -> None:
    clerk, handler, record = (
        await desk(office, "clerk"),
        await desk(office, "unit_handler"),
        await office.matter(),
    )
    assert (await clerk.send(f"/matters/{record}/handling", lead="司法所")).status_code == 200
    path = f"/matters/{record}/urgings"
    for _ in range(2):
        assert (await clerk.send(path, sort="supervise", words="三日内反馈", key="u1")).status_code == 200
    reader = office.caller("records.read", "unit_handler")
    (one,) = await urging.standing(office.services, reader)
    assert (one.words, one.by) == ("三日内反馈", "陈静")
    assert (await handler.send(path, sort="urge", words="x")).status_code == 403
    assert (await handler.send(f"{path}/{one.id}/answer", words="已调解")).status_code == 200
    assert await urging.standing(office.services, reader) == []
    assert (await clerk.send(f"{path}/{one.id}/answer", words="另一个")).status_code == 409
    assert "已调解" in (await clerk.see(f"/matters/{record}")).text


async def test_the_case_file_is_one_pdf_in_full_for_a_reason_alone(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter(HOSTILE.replace("\x0b", ""))
    masked = await clerk.see(f"/matters/{record}/print")
    assert masked.status_code == 200, masked.text
    assert masked.content.startswith(b"%PDF-")
    leave = await clerk.send(f"/matters/{record}/print", reason="装订归档")
    link = re.search(r'href="/office([^"]*)"', leave.text)
    assert link is not None
    full = await clerk.see(unescape(link[1]))
    assert full.content.startswith(b"%PDF-")
    assert full.content != masked.content
    stolen = await (await desk(office, "administrator")).see(unescape(link[1]))
    assert stolen.status_code == 403


async def test_a_slip_is_made_and_printed_from_the_page(office: Office) -> None:
    clerk, record = await desk(office, "clerk"), await office.matter()
    path = f"/matters/{record}/slips/new/acceptance"
    party = await office.party(record)
    assert (await clerk.submit(path, path, addressee=party)).status_code == 422
    assert (await clerk.submit(path, path, addressee=party, reason="送达受理告知")).status_code == 200
    page = await clerk.see(f"/matters/{record}")
    assert "受告〔2025〕第1号" in page.text
    assert NAME not in page.text
    link = re.search(r'href="/office(/slips/[^"]*/docx)"', page.text)
    assert link is not None
    paper = await clerk.see(link[1])
    assert "＊＊＊：" in docx_text(paper.content)


async def test_a_joined_matter_names_the_other_and_is_split_from_its_page(office: Office) -> None:
    clerk = await desk(office, "clerk")
    gone, stays = await office.matter("渠道淤堵"), await office.matter("南渠清淤")
    joiner = office.caller("records.join")
    await joins.join(office.services, joiner, Target(gone), stays, "同一件事")
    stub, other = (await clerk.see(f"/matters/{gone}")).text, (await clerk.see(f"/matters/{stays}")).text
    assert "已并入" in stub
    assert f'href="/office/matters/{stays}"' in stub
    assert "并入本事项" in other
    assert steps_of(stub) == {"close", "void"}
    done = await clerk.submit(f"/matters/{gone}", f"/matters/{gone}/split", reason="不是一件事")
    assert done.status_code == 200, done.text
    assert (await office.server.state(gone)).state == "reported"


async def _changes(office: Office, record: str) -> list[str]:
    page = await history(office.services, office.caller("records.history"), record, None, None)
    return [one.action if one.do != "create" and one.action else one.do or "" for one in page.changes]


async def test_an_extension_is_asked_for_and_approved_and_a_missed_date_is_explained(office: Office) -> None:
    clerk, leader, record = (
        await desk(office, "clerk"),
        await desk(office, "leader"),
        await office.matter(source="letter"),
    )
    given = {"lead": "司法所", "leaders": leader.who.row.staff_id}
    assert (await clerk.send(f"/matters/{record}/handling", **given)).status_code == 200
    path = f"/matters/{record}"
    accept = f"{path}/steps/accept"
    assert (await clerk.submit(accept, accept)).status_code == 200
    await keep(office.services, TOWN)
    rule = next(iter(re.findall(r'name="rule" value="([^"]+)"', (await clerk.see(path)).text)))
    lacking = await clerk.send(f"{path}/extensions", rule=rule, amount="1")
    assert lacking.status_code == 422
    assert (await clerk.send(f"{path}/extensions", rule=rule, amount="1", text="等待鉴定")).status_code == 200
    page = (await leader.see(path)).text
    (decide,) = re.findall(r'hx-post="/office(/matters/[^"]*/decide)"', page)
    assert decide not in (await clerk.see(path)).text
    assert (await leader.send(decide, approved="true", text="同意")).status_code == 200
    office.server.now_ms += 400 * DAY_MS
    clerk = await desk(office, "administrator")
    assert (await clerk.send(f"{path}/explanations", rule=rule, text="鉴定机构延误")).status_code == 200
    page = (await clerk.see(path)).text
    for told in ("等待鉴定", "已同意", "鉴定机构延误"):
        assert told in page


async def test_who_is_asked_to_approve_can_open_what_they_decide_about(office: Office) -> None:
    """No leader has taken the matter on: any leader may approve, and who did sees it afterwards too."""
    clerk, leader, other = (
        await desk(office, "clerk"),
        await desk(office, "leader"),
        Desk(await signed_in(office.server, "leader", "周副镇长")),
    )
    path = f"/matters/{await office.matter(source='letter')}"
    accept = f"{path}/steps/accept"
    assert (await clerk.submit(accept, accept)).status_code == 200
    await keep(office.services, TOWN)
    rule = next(iter(re.findall(r'name="rule" value="([^"]+)"', (await clerk.see(path)).text)))
    assert (await leader.see(path)).status_code == 404
    assert (await clerk.send(f"{path}/extensions", rule=rule, amount="1", text="等待鉴定")).status_code == 200
    pages = [(await asked.see(path)).text for asked in (leader, other)]
    decide, same = [re.findall(r'hx-post="/office(/matters/[^"]*/decide)"', page) for page in pages]
    assert decide == same
    assert len(decide) == 1
    assert (await leader.send(decide[0], approved="true", text="同意")).status_code == 200
    assert "已同意" in (await leader.see(path)).text
    assert (await other.see(path)).status_code == 404


async def test_a_unit_that_has_a_matter_alone_leads_whoever_gave_it(office: Office) -> None:
    """A program names units without saying which one leads; of several nobody is guessed."""
    record, may = await office.matter(), office.caller("assignments.set")
    await assigning.assign(office.services, may, record, assigning.Units(["司法所"]))
    alone = await undertaking.handling(office.services, may, record)
    assert (alone.lead, alone.with_units) == ("司法所", [])
    await assigning.assign(office.services, may, record, assigning.Units(["司法所", "派出所"]))
    several = await undertaking.handling(office.services, may, record)
    assert (several.lead, several.with_units) == ("", ["司法所", "派出所"])
