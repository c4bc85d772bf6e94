"""Restricted matters: for named people of the township, and on no device, that of the author included."""

from sync_protocol.changes import Act
from tests.server.office_server import GRID, OfficeServer
from tests.server.people import signed_in
from tests.sync.phone import Phone, office

SECRET = {"title": "反映某村干部", "nature": "dispute", "restricted": True}
REPORT = Act("report", "draft", "reported")
UNKNOWN = "01900000-0000-7000-8000-00000000dead"


async def test_on_receipt_it_leaves_the_authors_device_and_the_verdict_is_a_bare_code(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    made = wang.matter(fields=SECRET)
    answer = await wang.send(made)
    (verdict,) = answer.verdicts
    assert (verdict.result, verdict.number, verdict.differs) == ("applied", None, ())
    assert (await server.state(made.record)).number is not None
    for one in (wang, li):
        pages = [*([answer.page] if one is wang and answer.page else []), *await one.read()]
        assert [row.id for page in pages for row in page.records] == []
        assert pages[-1].digests[GRID].count == 0


async def test_what_the_author_saved_before_the_receipt_still_arrives(
    server: OfficeServer, wang: Phone
) -> None:
    made = wang.device.create(fields=SECRET)
    report = wang.edit(made.record, 0, act=REPORT, after=made.id)
    later = wang.edit(made.record, 0, after=report.id, fields={"narrative": "细节。"})
    assert [v.result for v in (await wang.send(made, report)).verdicts] == ["applied", "applied"]
    assert [v.result for v in (await wang.send(later)).verdicts] == ["applied"]
    assert (await server.state(made.record)).values["narrative"] == "细节。"


async def test_for_everybody_else_of_the_grid_it_is_a_record_that_does_not_exist(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    made = wang.matter(fields=SECRET)
    await wang.send(made)
    seen = (await server.state(made.record)).version
    tried = [li.edit(record, seen, fields={"title": "x"}) for record in (made.record, UNKNOWN)]
    here, nowhere = (await li.send(*tried)).verdicts
    assert (here.result, here.code, here.field, here.reason) == (
        nowhere.result, nowhere.code, nowhere.field, nowhere.reason,
    )  # fmt: skip
    assert here.code == "not_in_scope"


async def test_when_the_office_restricts_it_it_leaves_and_comes_back_whole(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    made = wang.matter(fields={"narrative": "原来的。"})
    await wang.send(made)
    await wang.read()
    await li.read()
    hidden = await office(server, made.record, fields={"restricted": True})
    for one in (wang, li):
        (page,) = await one.read()
        assert [(e.id, e.n, e.why, e.state, e.number) for e in page.exits] == [
            (made.record, hidden.n, "restricted", None, None)
        ]
        assert (page.records, page.digests[GRID].count) == ([], 0)
    await office(server, made.record, act=Act("accept", "reported", "accepted"))
    (page,) = await wang.read()
    assert (page.records, page.exits, page.receipts) == ([], [], []), "the author hears no more of it"
    await office(server, made.record, fields={"restricted": False})
    for one in (wang, li):
        (page,) = await one.read()
        assert [(row.id, row.whole, row.state) for row in page.records] == [(made.record, True, "accepted")]
        assert page.digests[GRID].count == 1


async def test_its_conflicts_and_its_quarantine_are_for_named_people_alone(
    server: OfficeServer, wang: Phone, li: Phone
) -> None:
    made = wang.matter(fields={"people_involved": 2})
    await wang.send(made)
    seen = (await server.state(made.record)).version
    await wang.send(wang.edit(made.record, seen, fields={"people_involved": 3}))
    await li.send(li.edit(made.record, seen, fields={"people_involved": 4}))
    refused = [
        wang.edit(made.record, seen, fields={"no_such_field": 1}),
        wang.matter(fields={**SECRET, "no_such_field": 1}),
    ]
    assert {v.result for v in (await wang.send(*refused)).verdicts} == {"quarantined"}
    plain = await signed_in(server, "clerk", "赵敏")
    named = await signed_in(server, "clerk", "钱程", sees_restricted=True)

    async def counts(browser: object) -> tuple[int, int]:
        conflicts = (await browser.get("/v1/conflicts")).json()["conflicts"]  # type: ignore[attr-defined]
        waiting = (await browser.get("/v1/quarantine")).json()["changes"]  # type: ignore[attr-defined]
        return len(conflicts), len(waiting)

    assert await counts(plain.browser) == (1, 1), "a create in quarantine that says restricted is hidden"
    assert await counts(named.browser) == (1, 2)
    (conflict,) = (await named.browser.get("/v1/conflicts")).json()["conflicts"]
    await office(server, made.record, fields={"restricted": True})
    assert await counts(plain.browser) == (0, 0)
    assert await counts(named.browser) == (1, 2)
    for path, body in (
        ("/v1/conflicts/{}/resolve", {"value": 3}),
        ("/v1/quarantine/{}/replay", {"discard": True, "reason": "x"}),
    ):
        known = conflict["id"] if "conflicts" in path else refused[0].id
        answers = [await plain.browser.post(path.format(one), json=body) for one in (known, UNKNOWN)]
        assert answers[0].status_code == 404
        assert answers[0].content == answers[1].content
    done = await named.browser.post(f"/v1/conflicts/{conflict['id']}/resolve", json={"value": 3})
    assert done.status_code == 200, done.text


async def test_an_application_creates_one_and_reads_it_no_more(server: OfficeServer) -> None:
    async with await server.client() as hotline:
        new = {"kind": "matter", "key": "k", "place": GRID, "fields": SECRET}
        made = (await hotline.post("/v1/records", json=new)).json()
        assert (await hotline.post("/v1/records", json=new)).json()["id"] == made["id"]
        gone = await hotline.get(f"/v1/records/{made['id']}")
        assert gone.content == (await hotline.get(f"/v1/records/{UNKNOWN}")).content
        assert (await hotline.get("/v1/records")).json()["records"] == []
        assert (await hotline.get("/v1/changes", params={"own": True})).json()["changes"] == []
