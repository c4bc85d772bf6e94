"""Mutations that were chosen blind: their author had read neither the simulator nor its checker.

What was read: the design, the outside surface, the collected failures of others, docs/protocol.md, and the code of
`sync_protocol`, `server` and `client_sdk`. Each is a mistake that a capable engineer could make in this design; above
each stands how, and what a user of a township would lose by it. Nothing here says how it is noticed, so no entry
names a test: that is for the simulator to show.
"""

from typing import Final

from tests.mutants.mutant import Mutant


def _blind(name: str, of: tuple[str, ...], file: str, old: str, new: str) -> Mutant:
    return Mutant(name, of, file, old, new, tests=())


BLIND: Final = (
    # Push and verdicts.
    #
    # A row of the table keeps a verdict only where it says more than the row does, and a registration number stands
    # in the record anyway. A device whose answer was lost, or that was restored, gets another verdict than the first,
    # without number and proof, and after a restore of the server it cannot show that the number on a citizen's slip
    # was given to this record.
    _blind(
        "a-verdict-comes-again-without-its-number",
        ("G3", "G9", "2"),
        "server/sync/draft.py",
        "        verdict.code or verdict.number or verdict.formerly or verdict.differs\n",
        "        verdict.code or verdict.formerly or verdict.differs\n",
    ),
    # A clone's counter that was used already is refused, and the loop goes on with the next element, because one bad
    # change shall not hold up the others. What the next elements were made on is then missing when they are judged:
    # the edits of a record arrive before its create, and wait in quarantine instead of standing in it.
    _blind(
        "a-fork-takes-what-follows",
        ("G3", "3", "12"),
        "server/sync/order.py",
        "            break  # what follows may build on it, and comes again with it after the fork\n",
        "            continue  # it comes again after the fork\n",
    ),
    # Numbers and timelines.
    #
    # The next epoch is one above that of the database at hand, which is right for the first restore. An office that
    # puts the same backup back twice gives the numbers of the second lost timeline again: what a device saw there
    # counts as having seen other people's new changes, and overwrites them without a conflict.
    _blind(
        "a-second-restore-opens-the-same-epoch",
        ("G7", "G9", "11"),
        "server/storage/townships.py",
        "    counter = ((max(township.counter, above) >> EPOCH_BITS) + 1) << EPOCH_BITS\n"
        "    counter += first_count()\n",
        "    counter = ((township.counter >> EPOCH_BITS) + 1) << EPOCH_BITS\n",
    ),
    # After a restore the devices are asked for what lies above the head that the backup had, which looks like all
    # that was lost. Somebody may have written before the restore was noticed, and moved that head past numbers of the
    # lost timeline: the acknowledged changes with these numbers are asked for by nobody, and are gone.
    _blind(
        "a-restored-server-asks-above-its-own-head",
        ("G1", "G9", "11"),
        "server/sync/opening.py",
        "        offer_above = 0 if is_lost else tip\n",
        "        offer_above = township.survived(tip)\n",
    ),
    # Base and queue of the device.
    #
    # The server has said that the change with this number was applied, so the record on the device is taken to be at
    # that number. It has only the own fields of that number: an edit of any other field, before the page comes, says
    # that it saw what others wrote there, and replaces it without a conflict.
    _blind(
        "an-applied-verdict-moves-the-whole-base",
        ("G7", "30"),
        "sync_protocol/overlay.py",
        "                bases[path] = one.applied\n",
        "                version = max(version, one.applied)\n",
    ),
    # A queue is counted anew in the order in which its changes were saved, and the time of each save is there to sort
    # by. A clock that was set back puts a later change first, counters and places then disagree, the server asks for
    # the first counter at each sync, and nothing of this device ever arrives again.
    _blind(
        "a-fork-counts-by-the-time-of-the-save",
        ("G2", "G6", "G8", "12"),
        "client_sdk/store/queue.py",
        "\"SELECT place FROM changes WHERE status = 'queued' ORDER BY place\")\n    for n,",
        "\"SELECT place FROM changes WHERE status = 'queued' ORDER BY saved_ms\")\n    for n,",
    ),
    # SQLite's own pages recommend NORMAL with a write-ahead log, and saves get faster on an old phone. A commit is
    # then on the disk only at the next checkpoint: a battery that falls out takes the last saves, which the worker
    # was told were kept.
    _blind(
        "a-commit-is-not-forced-to-the-disk",
        ("G2",),
        "client_sdk/store/database.py",
        '                    "synchronous = FULL",\n',
        '                    "synchronous = NORMAL",\n',
    ),
    # Each write keeps the digest of its record, so comparing the sums that are kept looks like comparing the records.
    # A record whose text was damaged on the disk keeps its good digest: the worker reads and edits something that the
    # server does not hold, and no sync ever repairs it.
    _blind(
        "digests-are-never-weighed",
        ("G4",),
        "client_sdk/store/pages.py",
        "    if differing or not 0 <= now_ms - meta.integer(tx, meta.WEIGHED) < _WEIGH_EVERY_MS:\n",
        "    if differing:\n",
    ),
    # Time.
    #
    # The last contact keeps both clocks, and beside `at`, which is the device's, the mark is taken from the same one.
    # Of a device whose clock is ahead every change then counts as saved at its receipt, with no uncertainty: an edit
    # of the morning that arrives in the evening displaces what a colleague wrote at noon.
    _blind(
        "the-mark-is-the-devices-own-time",
        ("G8", "10"),
        "client_sdk/saving.py",
        "            mark_ms=contact.server_ms if contact is not None else 0,\n",
        "            mark_ms=contact.device_ms if contact is not None else 0,\n",
    ),
    # Scope.
    #
    # Receipts are addressed to the device that made the change, so they are sent to it as they were written. When the
    # record has moved meanwhile, the device gets its id, the field, who decided and the office's reason, of a record
    # that it may not see any more.
    _blind(
        "a-receipt-tells-of-a-record-that-moved",
        ("G5", "31"),
        "server/sync/pull.py",
        "        receipt = one if known else Receipt(one.n, one.change, one.outcome)\n",
        "        receipt = one\n",
    ),
    # Merge.
    #
    # Single values: a decision is a change of the office, so it gets the office's rank. A worker who was offline and
    # had not seen it wins by the later time, and what the office had decided after it saw both values is undone.
    _blind(
        "a-decision-is-an-edit-like-any-other",
        ("G7",),
        "sync_protocol/merge.py",
        "    rank = DECISION if change.decides is not None else arrival.rank\n",
        "    rank = arrival.rank\n",
    ),
    # Text: the base of the three-way merge is what the record said at the version that the author had. An author who
    # writes a sentence and takes it out again in a second save, both offline, has started from their own text there:
    # against the older one the removal is no edit at all, and the sentence stays beside what somebody else wrote.
    _blind(
        "a-text-is-merged-from-the-version-of-the-page",
        ("G7", "30"),
        "sync_protocol/merge.py",
        "        base = case.history.base_value(case.change, case.writer.by, path)\n",
        "        base = case.history.value_at(path, case.history.base_of(case.change, case.writer.by, path))\n",
    ),
    # Sets: whoever adds a member last is its writer, as with every other value. When they take it out again, the
    # addition of somebody else, whom they had not seen, goes with it, and no conflict is listed.
    _blind(
        "the-last-addition-of-a-member-is-the-only-one",
        ("G1", "G7"),
        "sync_protocol/merge.py",
        "    additions[op.value] = [*unseen, case.position]\n",
        "    additions[op.value] = [case.position]\n",
    ),
    # Sums, and replays: every other operation leaves a path alone that a later change of its chain has written, so this
    # one is made to do the same. The increment that the office takes in from quarantine is called applied, and the
    # three households that it counted are not in the sum.
    _blind(
        "a-replayed-increment-is-overtaken",
        ("G1",),
        "sync_protocol/merge.py",
        "    standing = case.state.values.get(op.field)\n    case.concurrent(",
        "    if case.overtaken(op.field):\n        return\n"
        "    standing = case.state.values.get(op.field)\n    case.concurrent(",
    ),
    # Entries: an edit beats a removal, and a put of an entry that is not there already makes one. The entry comes back
    # with the one sub-field that was edited, and who did the measure, when and what else was said of it is gone from
    # the record.
    _blind(
        "an-edit-brings-back-only-what-it-says",
        ("G1", "G7"),
        "sync_protocol/merge.py",
        """\
        entries[op.entry], all_marks[op.entry] = gone.values, {**gone.marks, REVIVED: case.position}
        case.out.concurrent = True
        case.effect(op.path, None, dict(gone.values))
""",
        """\
        case.out.concurrent = True
""",
    ),
    # Deletions: a record comes whole when it was made here or moved here, and the mark of its place says when that was,
    # so nobody needs a column for it. A deleted record that an edit brings back was not moved: the other devices have
    # dropped it, get a part of a record that they do not hold, and a worker does not see the matter that a colleague
    # revived. (Its author planted this in the merge alone. The push does the same once more, and nobody lost by it.)
    _blind(
        "a-revived-record-does-not-come-whole",
        ("G4",),
        "server/sync/pull.py",
        "    if state.placed > base:\n",
        "    if state.marks.writer(PLACE).n > base:\n",
    ),
)
