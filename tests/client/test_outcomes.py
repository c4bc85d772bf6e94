"""What a worker is told of what they sent: shown over what came, problems, receipts, news. A township in memory."""

from client_sdk import FieldClient
from sync_protocol.messages import SyncRequest
from tests.client.town import Town


def test_a_pending_edit_lies_over_what_a_page_brings(device: FieldClient, town: Town) -> None:
    matter = device.create("matter", title="a", narrative="x")
    device.sync()
    town.write(matter.id, {"narrative": "y"})

    def save(_: SyncRequest) -> None:
        device.update(device.get(matter.id), title="b")

    town.before = save
    device.sync()
    shown = device.get(matter.id)
    assert (shown.fields["title"], shown.fields["narrative"], shown.delivery) == ("b", "y", "waiting")


def test_values_that_differ_become_a_problem_with_both(device: FieldClient, town: Town) -> None:
    matter = device.create("matter", title="a", people_involved=3)
    device.sync()
    seen = device.get(matter.id)
    town.write(matter.id, {"people_involved": 5})
    device.update(seen, people_involved=7)
    report = device.sync()
    assert report.conflicts == 1
    shown = device.get(matter.id)
    assert (shown.fields["people_involved"], shown.delivery) == (5, "attention")
    (problem,) = device.problems()
    assert (problem.what, problem.record.id) == ("differs", matter.id)
    assert (problem.values["people_involved"].own, problem.values["people_involved"].standing) == (7, 5)
    assert "冲突" not in problem.next_zh

    kept = problem.answer("keep")
    assert kept is not None
    assert (kept.delivery, device.problems()) == ("received", [])


def test_the_own_value_can_be_submitted_again_on_what_stands(device: FieldClient, town: Town) -> None:
    matter = device.create("matter", title="a", people_involved=3)
    device.sync()
    seen = device.get(matter.id)
    town.write(matter.id, {"people_involved": 5})
    device.update(seen, people_involved=7)
    device.sync()
    (problem,) = device.problems()
    problem.answer("mine")
    assert device.problems() == []
    report = device.sync()
    assert (report.applied, device.get(matter.id).fields["people_involved"]) == (1, 7)


def test_a_conflict_that_the_own_value_won_is_no_problem_of_the_worker(
    device: FieldClient, town: Town
) -> None:
    matter = device.create("matter", title="a")
    device.sync()
    seen = device.get(matter.id)
    town.write(matter.id, {"title": "theirs"})
    device.update(seen, title="ours, and later")
    assert device.sync().conflicts == 1
    assert device.get(matter.id).fields["title"] == "ours, and later"
    assert device.problems() == []


def test_a_later_own_edit_of_the_path_ends_the_problem(device: FieldClient, town: Town) -> None:
    matter = device.create("matter", title="a", people_involved=3)
    device.sync()
    seen = device.get(matter.id)
    town.write(matter.id, {"people_involved": 5})
    device.update(seen, people_involved=7)
    device.sync()
    device.update(device.get(matter.id), people_involved=8)
    assert device.problems() == []


def test_quarantine_keeps_the_overlay_marked_until_a_receipt_ends_it(device: FieldClient, town: Town) -> None:
    """Failures, row 4: the device shows which record, and why."""
    matter = device.create("matter", title="a")
    device.sync()
    town.quarantine.add(matter.id)
    device.update(device.get(matter.id), title="b")
    report = device.sync()
    assert report.quarantined == 1
    shown = device.get(matter.id)
    assert (shown.fields["title"], shown.delivery) == ("b", "attention")
    (problem,) = device.problems()
    assert (problem.what, problem.code, problem.record.id) == ("quarantined", "not_in_scope", matter.id)
    assert problem.values["title"].own == "b"
    (entry,) = device.queue()
    assert entry.status == "quarantined"

    town.tell(entry.id, "discarded", matter.id, reason="重复填报")
    device.sync()
    shown = device.get(matter.id)
    assert (shown.fields["title"], shown.delivery, device.problems(), device.queue()) == (
        "a",
        "received",
        [],
        [],
    )
    news = [one for one in device.news() if one.what == "discarded"]
    assert [one.detail["reason"] for one in news] == ["重复填报"]
    assert device.news() == []


def test_receipts_count_once(device: FieldClient, town: Town) -> None:
    matter = device.create("matter", title="a")
    device.sync()
    town.tell("01920000-0000-7000-8000-000000000001", "not_kept", matter.id, "title")
    device.sync()
    with device._store.write() as tx:
        tx.run("DELETE FROM meta WHERE key = 'cursor'")
    device.sync()
    assert [one.what for one in device.news()] == ["not_kept"]


def test_a_record_that_leaves_goes_and_unsent_edits_stay(device: FieldClient, town: Town) -> None:
    """Failures, row 7."""
    stays, goes = device.create("matter", title="stays"), device.create("matter", title="goes")
    device.sync()
    town.leave(goes.id)
    town.quarantine.add(goes.id)
    device.update(device.get(goes.id), title="edited before it was known")
    report = device.sync()
    assert (report.removed, report.quarantined) == (1, 1)
    assert [record.id for record in device.list()] == [stays.id]
    (problem,) = device.problems()
    assert problem.record.id == goes.id
    assert device.digest() == town.digests()


def test_a_closed_record_leaves_with_its_final_state(device: FieldClient, town: Town) -> None:
    matter = device.act(device.create("matter", title="a"), "report")
    device.sync()
    device.news()
    town.leave(matter.id, "closed", "closed")
    device.sync()
    (news,) = device.news()
    assert (news.what, news.detail["state"], news.record) == ("left", "closed", matter.id)
    assert "已办结" in news.zh


def test_news_tells_the_number_and_the_way_of_own_reports(device: FieldClient, town: Town) -> None:
    matter = device.act(device.create("matter", title="a"), "report")
    device.sync()
    (numbered,) = device.news()
    assert (numbered.what, numbered.detail["number"]) == ("numbered", device.get(matter.id).number)
    state = town.states[matter.id]
    state.state = "accepted"
    town.n += 1
    state.version = town.n
    device.sync()
    (moved,) = device.news()
    assert (moved.what, moved.detail["from"], moved.detail["to"], moved.zh) == (
        "state",
        "reported",
        "accepted",
        "已受理",
    )


def test_row_24_a_returned_record_is_corrected_and_reported_again(device: FieldClient, town: Town) -> None:
    """Failures, row 24: a rejection travels with the next sync, with its reason."""
    matter = device.act(device.create("matter", title="a"), "report")
    device.sync()
    town.states[matter.id].state = "returned"
    town.n += 1
    town.states[matter.id].version = town.n
    town.tell(town.taken[-1].id, "returned", matter.id, reason="请补充地点")
    device.sync()
    (problem,) = device.problems()
    assert (problem.what, problem.reason, problem.record.delivery) == ("returned", "请补充地点", "attention")
    again = problem.answer("resubmit", note="已补充", place_description="村口")
    assert again is not None
    assert (again.state, again.fields["place_description"]) == ("reported", "村口")
    assert device.problems() == []
