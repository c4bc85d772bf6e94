"""Mutations around the exchange: devices that are revoked, locked or recovered, erasing, joins."""

from typing import Final

from tests.mutants.mutant import Mutant

REVOKED, LEASE = "tests/e2e/test_revoked.py", "tests/protocol/test_lease.py"
OVER, ERASING = "tests/privacy/test_retention.py", "tests/privacy/test_erasing.py"
KEPT: Final = "tests/e2e/test_kept.py"
JOINS: Final = "tests/joins/test_joining.py"

AROUND: Final = (
    # A device that is revoked, replaces its key, or stays away.
    Mutant(
        "drafts-of-a-revoked-device-stay-behind",
        ("G2", "8"),
        "client_sdk/store/answers.py",
        "            queue.release_all(tx)\n",
        "",
        (f"{REVOKED}::test_row_8_nothing_is_shown_or_saved_between_the_answer_and_the_wipe",),
    ),
    Mutant(
        "whoever-was-not-told-of-its-key-is-a-copy",
        ("G3",),
        "sync_protocol/rotation.py",
        'return "told" if offered == present else "copy"',
        'return "copy"',
        ("tests/e2e/test_replaced_keys.py::test_a_key_is_replaced_once_whatever_is_lost",),
    ),
    Mutant(
        "a-former-key-reads-on",
        ("G5", "12"),
        "sync_protocol/rotation.py",
        'return "told" if offered == present else "copy"',
        'return "told"',
        ("tests/e2e/test_replaced_keys.py::test_row_12_a_copy_from_before_hands_in_and_reads_nothing",),
    ),
    Mutant(
        "one-jump-of-a-clock-destroys",
        ("G8",),
        "sync_protocol/lease.py",
        'return "locked", Watch(longest, ago_ms)',
        'return "over", Watch(longest, ago_ms)',
        (f"{LEASE}::test_one_jump_never_destroys", f"{LEASE}::test_two_days_that_fit_together_are_needed"),
    ),
    Mutant(
        "a-clock-turned-back-unlocks",
        ("G8",),
        "sync_protocol/lease.py",
        "longest = max(watch.longest_ms, ago_ms)",
        "longest = ago_ms",
        (f"{LEASE}::test_a_clock_turned_back_unlocks_nothing",),
    ),
    Mutant(
        "a-clock-is-believed-while-the-machine-runs",
        ("G8",),
        "sync_protocol/lease.py",
        "return watch.then_ms + running.ms - then.ms",
        "return by_clock_ms",
        (
            f"{LEASE}::test_while_a_machine_runs_its_clock_says_nothing",
            "tests/e2e/test_recovery.py::test_a_clock_that_jumps_while_the_machine_runs_locks_nothing",
        ),
    ),
    Mutant(
        "a-locked-store-takes-nothing",
        ("G2",),
        "client_sdk/saving.py",
        "        with self._store.take() as tx:\n",
        "        with self._store.write() as tx:\n",
        ("tests/e2e/test_recovery.py::test_a_locked_store_takes_what_is_new_and_shows_nothing",),
    ),
    Mutant(
        "an-office-believes-any-store",
        ("G3",),
        "server/recovery/handing.py",
        "if known is None or unsent.public_key not in keys:",
        "if known is None:",
        ("tests/e2e/test_recovery.py::test_a_store_that_only_says_it_is_a_device_is_refused",),
    ),
    Mutant(
        "what-left-a-device-stays-readable",
        ("G5",),
        "client_sdk/store/answers.py",
        "        kept.seal_what_left(tx)\n",
        "",
        (f"{KEPT}::test_what_left_a_device_cannot_be_read_there_and_comes_back_to_a_restored_server",),
    ),
    Mutant(
        "what-is-sealed-is-never-opened",
        ("11",),
        "server/recovery/kept.py",
        "    if sealed:\n",
        "    if sealed and not township:\n",
        (
            f"{KEPT}::test_what_left_a_device_cannot_be_read_there_and_comes_back_to_a_restored_server",
            f"{KEPT}::test_a_rescue_file_carries_it_to_another_device",
        ),
    ),
    Mutant(
        "a-sealed-resend-is-another-change",
        ("G3",),
        "server/sync/order.py",
        "if stored is not None and (stored.erased or SEALED in {stored.code, _code(element)}):",
        "if stored is not None and stored.erased:",
        (f"{KEPT}::test_an_office_that_keeps_the_key_lets_it_wait_in_quarantine",),
    ),
    Mutant(
        "erased-is-taken-in-again",
        ("13",),
        "server/sync/judge.py",
        "    if state is not None and state.erased:\n",
        "    if state is not None and state.erased and author.revoked:\n",
        (
            f"{OVER}::test_row_13_what_is_over_goes_in_time_and_old_devices_do_not_bring_it_back",
            f"{ERASING}::test_later_changes_are_erased_and_what_they_say_is_never_stored",
        ),
    ),
    Mutant(
        "devices-keep-what-was-erased",
        ("13",),
        "client_sdk/store/queue.py",
        """status IN ('acknowledged', 'quarantined')", record)""",
        """status IN ('quarantined')", record)""",
        (f"{ERASING}::test_the_words_go_from_every_table_and_every_device",),
    ),
    Mutant(
        "a-joined-matter-overwrites-the-other",
        ("G7",),
        "sync_protocol/joining.py",
        "                proposals.append(effect)\n",
        "                pass\n",
        (f"{JOINS}::test_an_unsent_edit_of_the_absorbed_one_arrives_as_a_proposal_and_its_entries_merge",),
    ),
    Mutant(
        "a-join-lets-out-what-is-restricted",
        ("G5",),
        "server/sync/joined.py",
        "    elif source.restricted and not target.restricted:\n",
        "    elif source.restricted and target.restricted:\n",
        (f"{JOINS}::test_what_becomes_restricted_after_a_join_brings_nothing_more",),
    ),
)
