"""Mutations of what a restored server does, and its devices: timelines, offers, registration numbers."""

from typing import Final

from tests.mutants.mutant import Mutant

TIMELINES: Final = "tests/sync/test_timelines.py"
NUMBERS: Final = "tests/sync/test_numbers_after_a_restore.py"
DRILL: Final = "tests/e2e/test_restore_drill.py"
ROUND: Final = "tests/e2e/test_round.py"

RESTORES: Final = (
    Mutant(
        "any-number-may-be-claimed",
        ("11",),
        "sync_protocol/registration.py",
        '    if not hmac.compare_digest(expected.encode(), claim.proof.encode("utf-8", "surrogatepass")):\n',
        "    if not expected:\n",
        (f"{NUMBERS}::test_no_device_can_claim_a_number_that_was_not_given_to_its_record",),
    ),
    Mutant(
        "a-second-restore-opens-the-same-timeline",
        ("11",),
        "server/storage/townships.py",
        "    counter = ((max(township.counter, above) >> EPOCH_BITS) + 1) << EPOCH_BITS\n"
        "    counter += first_count()\n",
        "    counter = ((township.counter >> EPOCH_BITS) + 1) << EPOCH_BITS\n",
        (f"{TIMELINES}::test_what_a_copy_lacks_twice_is_never_numbered_alike",),
    ),
    Mutant(
        "a-hole-is-waited-for",
        ("G6", "11"),
        "client_sdk/store/queue.py",
        '    return tx.row("SELECT 1 FROM changes WHERE n = ?", counter) is not None\n',
        "    return True\n",
        (f"{DRILL}::test_what_was_erased_leaves_no_gap_that_a_restored_server_waits_for_for_ever",),
    ),
    Mutant(
        "an-erased-matter-loses-its-number",
        ("11",),
        "server/sync/register.py",
        "    buried = _buried(records, claims.keys() - earning.keys())\n",
        "    buried = set[str]()\n",
        (f"{NUMBERS}::test_a_matter_erased_before_its_number_came_back_gets_that_too",),
    ),
    Mutant(
        "quarantine-gives-a-number-away",
        ("11",),
        "server/sync/register.py",
        "    for draft in (one for record in waiting.keys() & kept.keys() for one in waiting[record]):\n",
        "    for draft in (one for record in waiting.keys() & earning.keys() for one in waiting[record]):\n",
        (f"{NUMBERS}::test_the_number_of_what_goes_to_quarantine_waits_there_with_it",),
    ),
    Mutant(
        "timelines-of-one-epoch-begin-alike",
        ("11",),
        "server/storage/townships.py",
        "    counter += first_count()\n",
        "",
        (f"{TIMELINES}::test_two_timelines_with_one_epoch_are_not_taken_for_each_other",),
    ),
    Mutant(
        "what-builds-on-something-lost-is-taken-at-once",
        ("3", "11", "12"),
        "server/sync/opening.py",
        "    if upload.known_only or unfounded:\n",
        "    if upload.known_only:\n",
        (f"{TIMELINES}::test_what_builds_on_something_lost_waits_for_it_though_a_copy_has_counted_here",),
    ),
    Mutant(
        "a-copy-is-asked-above-what-the-other-one-sent",
        ("G2", "11", "12"),
        "server/sync/opening.py",
        "        offer_above = 0 if is_lost else tip\n",
        "        offer_above = township.survived(tip)\n",
        (
            f"{TIMELINES}::test_a_restore_by_hand_that_nobody_noticed_hides_nothing_behind_the_next_one",
            f"{TIMELINES}::test_what_builds_on_something_lost_waits_for_it_though_a_copy_has_counted_here",
        ),
    ),
    Mutant(
        "a-process-forgets-how-far-it-had-come",
        ("11",),
        "server/sync/timeline.py",
        "    if found is None or found.counter >= head:\n",
        "    if found is None or found.counter >= 0:\n",
        (f"{TIMELINES}::test_a_server_that_runs_on_over_an_older_database_gives_no_number_again",),
    ),
    Mutant(
        "another-report-gets-another-number",
        ("11",),
        "server/sync/register.py",
        "    if township.lost_spans and earning.keys() - claims.keys():\n",
        "    if not township.id and earning.keys() - claims.keys():\n",
        (f"{NUMBERS}::test_a_number_that_waits_in_quarantine_is_its_matters_whatever_earns_it",),
    ),
    Mutant(
        "a-number-that-stands-hides-the-former-one",
        ("11",),
        "server/sync/register.py",
        "        if state.number != written(township, claim):\n",
        "        if not state.number:\n",
        (
            f"{NUMBERS}::test_a_matter_that_has_got_another_number_first_keeps_that_and_the_worker_is_told_both",
        ),
    ),
    Mutant(
        "a-cursor-beyond-the-head-is-believed",
        ("G4", "11"),
        "server/sync/opening.py",
        "    if is_lost or township.lacks(upload.proof.head):\n",
        "    if is_lost:\n",
        (f"{TIMELINES}::test_a_timeline_that_had_no_change_hides_nothing_when_it_is_lost_too",),
    ),
    Mutant(
        "a-verdict-without-a-cursor-is-believed",
        ("G2", "11"),
        "sync_protocol/session.py",
        "    return answer if answer.serial is None else ",
        "    return answer if answer.nonce else ",
        (f"{ROUND}::test_row_11_a_verdict_that_brings_no_cursor_ends_nothing",),
    ),
    Mutant(
        "a-register-goes-on-where-the-backup-stood",
        ("11",),
        "server/sync/timeline.py",
        "    if last <= before:\n",
        "    if last >= 0:\n",
        (f"{NUMBERS}::test_a_matter_that_is_offered_again_keeps_its_registration_number",),
    ),
)
