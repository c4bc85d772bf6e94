"""Mutations of the exchange: what is kept, told, merged, paged, timed and numbered."""

from textwrap import indent
from typing import Final

from tests.mutants.mutant import Mutant

HORIZON: Final = "tests/sync/test_horizon.py"
AWAY: Final = "tests/e2e/test_horizon.py"
ONCE, SCOPE, PAGES, TIME = (
    f"tests/sync/test_{name}.py" for name in ("exactly_once", "scope", "pages", "honest_time")
)
CHAINS, RULES, REPLAY = (f"tests/protocol/test_merge_{name}.py" for name in ("chains", "rules", "replay"))
SESSION, CLOCK = "tests/protocol/test_session.py", "tests/protocol/test_clock.py"
LANES: Final = "tests/lanes/test_lanes_model.py::test_a_device_holds_its_scope_whatever_moves_under_its_pages"
DEVICE, STORE, EDITS = (f"tests/client/test_{name}.py" for name in ("sync", "store", "edits"))
CONFLICTS, QUARANTINE = "tests/server/test_conflicts_api.py", "tests/server/test_quarantine_api.py"
_COMMIT: Final = (
    'await connection.exec_driver_sql("COMMIT")\n{0}await connection.exec_driver_sql("BEGIN IMMEDIATE")\n{0}'
)
_TOLD_EARLY: Final = """\
    told: list[_Taken] = []

    async def early(connection: AsyncConnection) -> None:
        told.append(await take(connection))

    try:
        await transact(services.engine, early)
    except RuntimeError:
        pass
    taken = told[-1]
"""

EXCHANGE: Final = (
    # Nothing acknowledged is lost, and nothing is told that is not committed.
    Mutant(
        "refused-changes-are-not-kept",
        ("G1",),
        "server/sync/writing.py",
        "    drafts = batch.drafts\n",
        "    drafts = [draft for draft in batch.drafts if draft.refused is None]\n",
        (f"{ONCE}::test_every_acknowledged_change_is_found_by_its_id",),
    ),
    Mutant(
        "told-before-the-commit",
        ("G1", "27"),
        "server/sync/service.py",
        "        taken = await transact(services.engine, take)\n",
        indent(_TOLD_EARLY, "    "),
        (f"{ONCE}::test_row_27_a_verdict_is_told_after_its_commit",),
    ),
    Mutant(
        "verdict-in-another-transaction",
        ("G3", "27"),
        "server/sync/writing.py",
        "    await changes.append(connection, township,",
        f"    {_COMMIT.format('    ')}await changes.append(connection, township,",
        (f"{ONCE}::test_row_27_verdict_effect_and_number_are_one_transaction",),
    ),
    Mutant(
        "registration-number-outside-the-transaction",
        ("22",),
        "server/sync/register.py",
        "await stream.register(connection, township.id, moved, last[moved])\n",
        "await stream.register(connection, township.id, moved, last[moved])\n"
        f"        {_COMMIT.format('        ')}pass\n",
        (f"{ONCE}::test_row_27_verdict_effect_and_number_are_one_transaction",),
    ),
    Mutant(
        "refused-changes-use-up-numbers",
        ("22",),
        "server/sync/register.py",
        "            last[year] += 1\n",
        "            last[year] += 1 + sum(draft.refused is not None for draft in drafts)\n",
        (f"{ONCE}::test_row_22_numbers_are_given_on_arrival_without_gaps",),
    ),
    # Nothing saved on a device is lost.
    Mutant(
        "any-answer-clears-the-queue",
        ("G2", "5"),
        "client_sdk/store/answers.py",
        "    for verdict in answer.verdicts:\n        _verdict(tx, verdict, answer.now)\n",
        "    for verdict in answer.verdicts:\n        _verdict(tx, verdict, answer.now)\n"
        "    for id_ in sent:\n        tx.run(\"UPDATE changes SET status = 'acknowledged' WHERE id = ?\", id_)\n",
        (f"{DEVICE}::test_an_old_serial_is_jumped_past",),
    ),
    Mutant(
        "any-body-is-an-answer",
        ("G2", "5"),
        "sync_protocol/session.py",
        "if asked is None or answer.nonce != asked.nonce:",
        "if asked is None:",
        (f"{SESSION}::test_an_answer_to_another_request_is_none",),
    ),
    Mutant(
        "any-server-is-ours",
        ("5",),
        "sync_protocol/session.py",
        'if answer.server.rpartition(":")[0] != asked.server:',
        "if not answer.server:",
        (f"{SESSION}::test_an_answer_of_another_server_is_none",),
    ),
    Mutant(
        "queue-cleared-by-position",
        ("G2", "15"),
        "client_sdk/store/queue.py",
        "\" WHERE id = ? AND status = 'queued'\"",
        "\" WHERE place <= (SELECT max(place) FROM changes) AND ? <> '' AND status = 'queued'\"",
        (f"{DEVICE}::test_what_is_saved_during_a_sync_is_not_marked_as_sent",),
    ),
    # Exactly once, in order.
    Mutant(
        "resend-not-looked-up",
        ("G3", "2"),
        "server/sync/order.py",
        "out.again.append((current, current.key))",
        "out.take.append((current, n))",
        (f"{ONCE}::test_row_2_a_change_sent_again_has_one_effect_and_its_first_verdict",),
    ),
    Mutant(
        "verdict-made-anew",
        ("G3", "2"),
        "server/sync/push.py",
        "_tell(pushed, element, msgspec.structs.replace(first, duplicate=True))",
        '_tell(pushed, element, Verdict(first.id, "applied", first.n, duplicate=True))',
        (f"{ONCE}::test_row_2_a_change_sent_again_has_one_effect_and_its_first_verdict",),
    ),
    Mutant(
        "gap-accepted-silently",
        ("3",),
        "server/sync/order.py",
        "        if n > out.counter + 1:\n",
        "        if n > out.counter + 1 and not items:\n",
        (f"{ONCE}::test_row_3_what_comes_before_its_predecessor_is_asked_for_from_there",),
    ),
    Mutant(
        "gap-blocks-for-ever",
        ("3",),
        "server/sync/order.py",
        "if n > out.counter + 1 and out.counter + 1 < lowest <= n:",
        "if n > out.counter + 1 and not items:",
        (f"{ONCE}::test_row_3_a_gap_that_the_device_cannot_fill_is_released",),
    ),
    Mutant(
        "clone-dropped-silently",
        ("G3", "12"),
        "server/sync/order.py",
        "            out.fork = True\n",
        "",
        (f"{ONCE}::test_row_12_a_copy_that_counts_on_is_told_to_fork_and_loses_nothing",),
    ),
    Mutant(
        "epoch-file-ignored",
        ("12",),
        "client_sdk/store/store.py",
        "if not epoch_file.fits(meta.text(tx, meta.EPOCH), meta.integer(tx, meta.COUNTER)):",
        "if epoch_file.epoch is None:",
        (f"{STORE}::test_an_older_copy_of_the_database_forks_and_keeps_its_ids",),
    ),
    # Convergence.
    Mutant(
        "base-moves-at-every-page",
        ("G4", "29"),
        "server/sync/pull.py",
        "return msgspec.structs.replace(lane, position=position)",
        "return msgspec.structs.replace(lane, position=position, base=position)",
        (LANES, f"{PAGES}::test_row_29_a_field_written_twice_between_two_pages_is_not_skipped"),
    ),
    Mutant(
        "full-page-moves-to-its-end",
        ("G4",),
        "server/sync/pull.py",
        "                upto = position\n                break\n",
        "                break\n",
        (LANES, f"{PAGES}::test_a_first_download_in_tiny_pages_is_whole"),
    ),
    Mutant(
        "forgotten-exits-are-not-missed",
        ("G4",),
        "server/sync/pull.py",
        "return max(lane.position, lane.exits_above) < horizon",
        "return max(lane.position, lane.exits_above) < horizon and not lane.grids",
        (f"{PAGES}::test_whoever_is_below_the_horizon_begins_anew",),
    ),
    Mutant(
        "exits-forgotten-behind-the-horizon",
        ("G4",),
        "server/sync/horizon.py",
        "        if moved:",
        "        if moved and not gone:",
        (
            f"{HORIZON}::test_a_first_download_that_began_before_begins_again",
            f"{AWAY}::test_a_device_that_was_away_ends_equal_and_loses_nothing_unsent",
        ),
    ),
    Mutant(
        "own-change-hides-anothers",
        ("G4",),
        "server/sync/pull.py",
        "own.state.version == state.version and own.before <= base:",
        "own.state.version == state.version:",
        (f"{PAGES}::test_what_another_wrote_comes_beside_the_own_change",),
    ),
    Mutant(
        "digest-keeps-what-left",
        ("G4",),
        "server/storage/records.py",
        "for counted, sign in ((state.counted, -1), (now, 1)):",
        "for counted, sign in ((None, -1), (now, 1)):",
        (f"{SCOPE}::test_row_7_a_record_that_is_moved_leaves_and_reaches_its_new_grid",),
    ),
    Mutant(
        "moved-in-is-not-whole",
        ("G4",),
        "sync_protocol/merge.py",
        "case.state.place, case.state.placed = place, case.writer.n",
        "case.state.place = place",
        (f"{SCOPE}::test_row_7_a_record_that_is_moved_leaves_and_reaches_its_new_grid",),
    ),
    # Scope.
    Mutant(
        "no-exit-on-a-move",
        ("G5", "7"),
        "server/sync/settle.py",
        "or (still_held and new_place == place):",
        "or still_held:",
        (
            LANES,
            f"{SCOPE}::test_row_7_a_record_that_is_moved_leaves_and_reaches_its_new_grid",
            f"{SCOPE}::test_row_7_an_edit_made_before_the_move_was_known_waits_for_the_office",
        ),
    ),
    Mutant(
        "scope-of-edits-not-checked",
        ("G5", "7", "31"),
        "server/sync/judge.py",
        "if state.place not in author.grids or state.closed:",
        "if author.revoked:",
        (
            f"{SCOPE}::test_row_7_an_edit_made_before_the_move_was_known_waits_for_the_office",
            f"{SCOPE}::test_row_31_a_verdict_out_of_scope_is_a_code_and_nothing_else",
        ),
    ),
    Mutant(
        "lost-grid-still-read",
        ("G5",),
        "sync_protocol/cursor.py",
        "grids=tuple(g for g in lane.grids if g in grids))",
        "grids=lane.grids)",
        (f"{SCOPE}::test_a_grid_that_is_taken_away_is_dropped_and_never_sent_again",),
    ),
    Mutant(
        "lost-grid-not-dropped",
        ("G5",),
        "sync_protocol/cursor.py",
        "tuple(sorted(had - set(grids)))",
        "()",
        (f"{SCOPE}::test_a_grid_that_is_taken_away_is_dropped_and_never_sent_again",),
    ),
    Mutant(
        "verdict-tells-the-records-number",
        ("G5", "31"),
        "server/sync/judge.py",
        'return Refusal("depends_on" if orphan else "not_in_scope")',
        'return Refusal("depends_on" if orphan else "not_in_scope", None, state.number if state else None)',
        (f"{SCOPE}::test_row_31_a_verdict_out_of_scope_is_a_code_and_nothing_else",),
    ),
    Mutant(
        "verdict-tells-what-exists",
        ("G5", "31"),
        "server/sync/judge.py",
        'return Refusal("depends_on" if orphan else "not_in_scope")',
        'return Refusal("depends_on" if orphan else "not_in_scope" if state else "invalid_field")',
        (f"{SCOPE}::test_row_31_a_verdict_out_of_scope_is_a_code_and_nothing_else",),
    ),
    # One bad change blocks nothing.
    Mutant(
        "one-refusal-refuses-the-batch",
        ("G6", "4"),
        "server/sync/push.py",
        "    n, reading = batch.number(), batch.upload.reading\n",
        "    if any(one.refused for one in batch.drafts):\n        verdict = Refusal('invalid_field')\n"
        "    n, reading = batch.number(), batch.upload.reading\n",
        (f"{ONCE}::test_row_4_one_bad_change_blocks_nothing",),
    ),
    # No silent winner.
    Mutant(
        "same-device-is-not-concurrent",
        ("G7", "30"),
        "sync_protocol/case.py",
        "            return False\n        past = ",
        "            return False\n        if writer.by == self.writer.by:\n            return False\n        past = ",
        (f"{CHAINS}::test_row_30_what_was_merged_into_an_own_value_is_not_overwritten",),
    ),
    Mutant(
        "predecessor-named-is-enough",
        ("30",),
        "sync_protocol/case.py",
        "return equal(submitted, standing) and",
        "return",
        (f"{CHAINS}::test_row_30_what_was_merged_into_an_own_value_is_not_overwritten",),
    ),
    Mutant(
        "page-under-a-chain-counts-as-seen",
        ("30",),
        "sync_protocol/history.py",
        "            base = min(base, past.change.base_of(path))\n",
        "",
        (f"{CHAINS}::test_a_page_under_a_pending_chain_was_not_seen",),
    ),
    Mutant(
        "conflict-without-its-base",
        ("G7",),
        "server/sync/settle.py",
        "Sides(clash.base, (clash.standing, clash.other))",
        "Sides(None, (clash.standing, clash.other))",
        (f"{CONFLICTS}::test_both_values_are_shown_and_the_office_decides",),
    ),
    Mutant(
        "loser-thrown-away",
        ("G7",),
        "sync_protocol/merge.py",
        "case.clash(path, declared.merge, winner, loser, by_rule=True)",
        "del winner, loser",
        (
            f"{RULES}::test_latest_takes_the_later_stamp_and_keeps_the_other",
            f"{CONFLICTS}::test_one_action_restores_the_value_that_a_rule_displaced",
        ),
    ),
    Mutant(
        "whole-record-as-one-value",
        ("G7",),
        "sync_protocol/case.py",
        "if writer.n <= self.history",
        "if max(one.n for one in self.marks.writers) <= self.history",
        (f"{RULES}::test_different_fields_merge_without_a_conflict",),
    ),
    # Honest time.
    Mutant(
        "future-is-believed",
        ("G8", "10"),
        "sync_protocol/clock.py",
        "clamped = min(max(estimate, earliest), latest)",
        "clamped = max(estimate, earliest)",
        (
            f"{TIME}::test_row_10_a_clock_in_the_future_does_not_win_for_ever",
            f"{CHAINS}::test_row_10_a_wrong_clock_never_wins_for_ever",
            f"{CLOCK}::test_no_clock_wins_for_ever",
        ),
    ),
    Mutant(
        "past-is-believed",
        ("G8", "10"),
        "sync_protocol/clock.py",
        "clamped = min(max(estimate, earliest), latest)",
        "clamped = min(estimate, latest)",
        (f"{TIME}::test_row_10_a_clock_in_the_past_does_not_lose_for_ever",),
    ),
    Mutant(
        "only-one-estimate-is-asked",
        ("G8", "10"),
        "sync_protocol/clock.py",
        "LINK_MS + abs(forward - backward) + ",
        "LINK_MS + ",
        (
            f"{TIME}::test_row_10_the_second_request_of_a_queue_knows_that_the_clock_was_set",
            f"{TIME}::test_row_10_the_first_sync_knows_that_the_clock_was_set",
            f"{CLOCK}::test_the_truth_lies_within_the_uncertainty_when_a_clock_is_set_once",
        ),
    ),
    Mutant(
        "since-is-counted-from-the-upload",
        ("G8", "10"),
        "client_sdk/saving.py",
        "at_ms - contact.device_ms if contact",
        "0 if contact",
        (f"{DEVICE}::test_a_change_says_what_the_clock_counted_since_its_mark",),
    ),
    Mutant(
        "device-time-is-overwritten",
        ("G8",),
        "server/sync/draft.py",
        "at_ms=self.at_ms,",
        "at_ms=self.corrected.stamp_ms,",
        (f"{TIME}::test_row_10_a_clock_of_any_year_is_taken_and_corrected",),
    ),
    # Rows beside the guarantees.
    Mutant(
        "township-not-locked",
        ("1",),
        "server/storage/townships.py",
        '{_FROM} FOR UPDATE", f"',
        '{_FROM}", f"',
        (f"{ONCE}::test_row_1_a_reader_misses_nothing_of_many_slow_writers",),
        "postgresql",
    ),
    Mutant(
        "edit-makes-another-record",
        ("18",),
        "client_sdk/saving.py",
        "self._append(tx, kind, snapshot.id, parts, snapshot.sight, reason, draft=held_back)",
        "self._append(tx, kind, self._new_id(), parts, snapshot.sight, reason, draft=held_back)",
        (f"{EDITS}::test_the_record_id_never_changes",),
    ),
    Mutant(
        "progress-forgets-what-is-done",
        ("19",),
        "sync_protocol/session_report.py",
        "self._total = self._done + max(left, batch)",
        "self._total = max(left, batch)",
        (f"{DEVICE}::test_progress_is_told_in_known_totals",),
    ),
    Mutant(
        "two-syncs-at-once",
        ("21",),
        "client_sdk/store/lock.py",
        "        if not _take(descriptor):",
        "        if not _take(descriptor) and descriptor < 0:",
        (f"{STORE}::test_a_second_sync_on_the_same_store_is_busy",),
    ),
    Mutant(
        "replay-beats-its-own-successor",
        ("32",),
        "sync_protocol/history.py",
        "        if change.id not in self._built_on:\n",
        "        if change.id not in self._built_on or path:\n",
        (
            f"{REPLAY}::test_row_32_a_replayed_older_value_does_not_beat_the_own_newer_one",
            f"{QUARANTINE}::test_a_replayed_change_never_overrides_a_later_one_of_its_own_chain",
        ),
    ),
)
