"""Slips: numbered without gaps, made once, addressed by the rule of contact, and never run as a program."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import make_url, text

from server.backup import back_up
from server.declined import Declined
from server.privacy.matters import erase_matter
from server.records.writing import Target
from server.restoring import Given, given_in, note_restore
from server.slips import service as slips
from server.slips import wording
from server.slips.documents import slip_docx
from server.slips.printing import slip_pdf
from server.slips.service import NewSlip
from server.slips.templates import check, filled, shipped
from tests.casefile.office import HOSTILE, NAME, Office, docx_text
from tests.server.office_server import TOWN

NOT_ACCEPTED = {"reason": "属于法院受理范围", "where": "泰兴市人民法院"}
SAID = {
    "acceptance": {},
    "not_accepted": NOT_ACCEPTED,
    "assignment": {"to": "司法所", "requirement": "调解", "by_date": "3月1日"},
    "supervision": {"to": "司法所", "requirement": "尽快", "by_date": "3月1日"},
    "answer": {"answer": "水渠已修好。"},
    "follow_up": {"followed_on": "3月1日", "channel": "电话", "satisfaction": "满意", "course": "无"},
}


async def made(
    office: Office, record: str, sort: str = "acceptance", key: str | None = None, **more: object
) -> slips.SlipView:
    new = NewSlip(sort, SAID[sort], **more)  # type: ignore[arg-type]
    return await slips.make(office.services, office.caller("slips.make"), Target(record, key=key), new)


async def test_each_sort_counts_by_itself_without_gaps_and_a_refused_one_takes_no_number(
    office: Office,
) -> None:
    first, second = await office.matter(), await office.matter()
    numbers = [(await made(office, one)).number for one in (first, second, first)]
    assert numbers == ["受告〔2025〕第1号", "受告〔2025〕第2号", "受告〔2025〕第3号"]
    with pytest.raises(Declined, match="invalid_record"):
        await slips.make(office.services, office.caller("slips.make"), Target(first), NewSlip("answer"))
    assert (await made(office, first, "answer")).number == "答复〔2025〕第1号"
    office.server.now_ms += 366 * 86_400_000
    assert (await made(office, first)).number == "受告〔2026〕第1号"


async def test_no_number_is_given_again_after_a_restore(
    office: Office, database_url: str, tmp_path: Path
) -> None:
    """Papers that bear it lie with citizens; `roundbook restore` still has the database that it replaces."""
    record = await office.matter()
    for sort in ("acceptance", "acceptance", "answer"):
        await made(office, record, sort)
    slips_then = {("acceptance", 2025, 2), ("answer", 2025, 1)}
    given = {TOWN: Given(slips=tuple(slips_then))}
    if database_url.startswith("sqlite"):
        replaced = tmp_path / "replaced.db"
        back_up(Path(make_url(database_url).database or ""), replaced)
        given = given_in(replaced)
        assert set(given[TOWN].slips) == slips_then
    async with office.services.engine.begin() as connection:
        await connection.execute(text("DELETE FROM slips"))  # as in the backup, which is older
    await note_restore(office.services.engine, given, office.server.now_ms)
    numbers = [(await made(office, record, sort)).number for sort in ("acceptance", "answer", "supervision")]
    assert numbers == ["受告〔2025〕第3号", "答复〔2025〕第2号", "督办〔2025〕第1号"]


async def test_the_same_request_again_is_the_same_slip(office: Office) -> None:
    record = await office.matter()
    twice = [await made(office, record, key="k1") for _ in range(2)]
    assert twice[0] == twice[1]
    assert len(await slips.of_record(office.services, office.caller("slips.read"), record)) == 1


@pytest.mark.parametrize("sort", shipped())
async def test_a_hostile_title_stands_on_every_slip_as_it_is(office: Office, sort: str) -> None:
    """As text: not run by Typst, not a placeholder, no XML, and without what turns the direction of writing."""
    record = await office.matter(HOSTILE.replace("\x0b", ""))
    slip = await made(office, record, sort)
    _, paper = await slips.printed(office.services, office.caller("slips.read"), slip.id, None)
    said = docx_text(slip_docx(paper))
    assert '#import "x"; #panic() $a$ {{reason}} {% x %} </w:t><script>alert(1)</script> abc' in said
    assert (await slip_pdf(paper)).startswith(b"%PDF-")


async def test_whoever_is_named_is_named_for_a_reason_that_is_recorded_and_hidden_without_one(
    office: Office,
) -> None:
    record = await office.matter()
    party, reader = await office.party(record), office.caller("slips.read")
    with pytest.raises(Declined, match="invalid_record"):
        await made(office, record, addressee=party)
    slip = await made(office, record, addressee=party, reason="送达受理告知")
    assert slip.names
    _, hidden = await slips.printed(office.services, reader, slip.id, None)
    assert hidden.opening == "＊＊＊："
    ticket = await slips.leave(office.services, reader, record, slip.id, "补打一份送达")
    _, shown = await slips.printed(office.services, reader, slip.id, ticket)
    assert shown.opening == f"{NAME}："
    reasons = await _audit(office, "contact_shown")
    assert [one["reason"] for one in reasons] == ["送达受理告知", "补打一份送达"]
    assert [one["number"] for one in await _audit(office, "slip_made")] == [slip.number]


async def test_a_ticket_is_for_one_person_one_slip_and_a_limited_time(office: Office) -> None:
    record = await office.matter()
    party, reader = await office.party(record), office.caller("slips.read")
    slip = await made(office, record, addressee=party, reason="送达受理告知")
    other = await made(office, record, addressee=party, reason="送达受理告知")
    ticket = await slips.leave(office.services, reader, record, slip.id, "补打一份送达")
    for who, what in ((office.caller("slips.read", "leader"), slip), (reader, other)):
        with pytest.raises(Declined):
            await slips.printed(office.services, who, what.id, ticket)
    longer = msgspec.structs.replace(ticket, until_ms=ticket.until_ms + 1)
    with pytest.raises(Declined):
        await slips.printed(office.services, reader, slip.id, longer)
    office.server.now_ms = ticket.until_ms
    with pytest.raises(Declined, match="forbidden"):
        await slips.printed(office.services, reader, slip.id, ticket)


async def test_what_a_slip_says_is_sealed_and_goes_with_its_matter_while_its_number_stays(
    office: Office,
) -> None:
    record = await office.matter()
    slip = await made(office, record, addressee=await office.party(record), reason="送达受理告知")
    assert NAME not in str(await _rows(office))
    administrator = office.caller("matters.erase", "administrator")
    await erase_matter(office.services, administrator, record, "本人申请")
    (left,) = await slips.of_record(office.services, office.caller("slips.read"), record)
    assert left.gone
    assert left.number == slip.number
    assert all(row.body is None for row in await _rows(office))
    with pytest.raises(Declined, match="erased"):
        await slips.printed(office.services, office.caller("slips.read"), slip.id, None)


async def test_an_office_sets_words_of_its_own_and_slips_that_were_made_stay_as_they_are(
    office: Office,
) -> None:
    record, administrator = await office.matter(), office.caller("slips.set_words", "administrator")
    before = await made(office, record)
    put = await wording.put(office.services, administrator, "acceptance", "编号{{number}}，已收。", 0)
    assert put.own
    after = await made(office, record)
    reader = office.caller("slips.read")
    said = [
        (await slips.printed(office.services, reader, one.id, None))[1].paragraphs for one in (before, after)
    ]
    assert "予以受理" in said[0][0]
    assert said[1] == [f"编号{(await office.server.state(record)).number}，已收。"]
    with pytest.raises(Declined):
        await wording.put(office.services, administrator, "acceptance", "{{number}}别的", 0)
    back = await wording.put(office.services, administrator, "acceptance", "", put.revision)
    assert not back.own


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("{{number}}{{nobody}}", "line 1: there is no value nobody"),
        ("{{number}}\n{{ number", "line 2: braces"),
        ("没有编号", "has to say {{number}}"),
        ("{{number}}{{title.__class__}}", "line 1: braces"),
        (" ", "a text of 1 to"),
    ],
)
def test_words_that_are_no_template_are_refused_with_line_and_reason(words: str, told: str) -> None:
    with pytest.raises(Declined) as refused:
        check(shipped()["acceptance"], words)
    assert told in refused.value.detail


def test_what_ships_is_sound_and_a_value_is_never_looked_at_for_placeholders() -> None:
    for sort in shipped().values():
        check(sort, sort.text)
    assert filled("{{title}} {{reason}}", {"title": "{{reason}}", "reason": "x"}) == ["{{reason}} x"]


async def test_a_slip_of_a_matter_out_of_reach_is_answered_like_one_that_nobody_has(office: Office) -> None:
    record = await office.matter()
    slip = await made(office, record)
    handler = office.caller("slips.read", "unit_handler")
    for known in (slip.id, record, "nonsense"):
        with pytest.raises(Declined, match="not_found"):
            await slips.printed(office.services, handler, known, None)


async def _rows(office: Office) -> list[Any]:
    async with office.services.engine.connect() as connection:
        return list(await connection.execute(text("SELECT * FROM slips")))


async def _audit(office: Office, act: str) -> list[dict[str, str]]:
    async with office.services.engine.connect() as connection:
        asked = text("SELECT detail FROM audit_entries WHERE township_id = :t AND act = :act ORDER BY n")
        rows = await connection.execute(asked, {"t": TOWN, "act": act})
        return [msgspec.json.decode(row.detail) for row in rows]
