"""Each way of putting the stored chain wrong, and what `roundbook audit verify` says of it."""

import json

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from server.audit.acts import OPERATOR
from server.audit.log import append, erase
from server.storage.engine import transact
from tests.audit.conftest import TOWN, Hand, some_acts
from tests.server.test_cli import Run

HERE = f"township_id = '{TOWN}'"
COLUMNS = "township_id, n, at_ms, act, actor, detail, salt, commitment, previous, hash"
FREED = (  # a table without its key, in which a number may stand twice
    "CREATE TABLE copied AS SELECT * FROM audit_entries",
    "DROP TABLE audit_entries",
    "ALTER TABLE copied RENAME TO audit_entries",
)
SWAPPED = (
    f"UPDATE audit_entries SET n = 99 WHERE n = 3 AND {HERE}",
    f"UPDATE audit_entries SET n = 3 WHERE n = 4 AND {HERE}",
    f"UPDATE audit_entries SET n = 4 WHERE n = 99 AND {HERE}",
)
COPY = f"INSERT INTO audit_entries ({COLUMNS}) SELECT {COLUMNS} FROM audit_entries WHERE n = 3 AND {HERE}"
BROKEN = {
    "another detail": ([f"UPDATE audit_entries SET detail = salt WHERE n = 3 AND {HERE}"], [(3, "detail")]),
    "another salt": ([f"UPDATE audit_entries SET salt = detail WHERE n = 3 AND {HERE}"], [(3, "detail")]),
    "the salt alone gone": (
        [f"UPDATE audit_entries SET salt = NULL WHERE n = 3 AND {HERE}"],
        [(3, "detail")],
    ),
    "another actor": ([f"UPDATE audit_entries SET actor = 'x' WHERE n = 3 AND {HERE}"], [(3, "changed")]),
    "another act": ([f"UPDATE audit_entries SET act = 'x' WHERE n = 3 AND {HERE}"], [(3, "changed")]),
    "another time": ([f"UPDATE audit_entries SET at_ms = 0 WHERE n = 3 AND {HERE}"], [(3, "changed")]),
    "another commitment": (
        [f"UPDATE audit_entries SET commitment = hash WHERE n = 3 AND {HERE}"],
        [(3, "changed"), (3, "detail")],
    ),
    "another previous": (
        [f"UPDATE audit_entries SET previous = hash WHERE n = 3 AND {HERE}"],
        [(3, "changed")],
    ),
    "another hash": (
        [f"UPDATE audit_entries SET hash = previous WHERE n = 3 AND {HERE}"],
        [(3, "changed")],
    ),
    "removed in the middle": ([f"DELETE FROM audit_entries WHERE n IN (2, 3) AND {HERE}"], [(2, "missing")]),
    "removed at the beginning": ([f"DELETE FROM audit_entries WHERE n = 1 AND {HERE}"], [(1, "missing")]),
    "removed at the end": ([f"DELETE FROM audit_entries WHERE n = 6 AND {HERE}"], [(6, "missing")]),
    "removed and the gap closed": (
        [
            f"DELETE FROM audit_entries WHERE n = 5 AND {HERE}",
            f"UPDATE audit_entries SET n = 5 WHERE n = 6 AND {HERE}",
        ],
        [(5, "moved"), (6, "missing")],
    ),
    "all removed": ([f"DELETE FROM audit_entries WHERE {HERE}"], [(1, "missing")]),
    "swapped": (SWAPPED, [(3, "moved"), (4, "moved")]),
    "inserted at the end": (
        [COPY.replace("SELECT township_id, n,", "SELECT township_id, n + 4,")],
        [(7, "head"), (7, "moved")],
    ),
    "rotated": (
        [
            f"UPDATE audit_entries SET n = 99 WHERE n = 5 AND {HERE}",
            *(f"UPDATE audit_entries SET n = {n + 1} WHERE n = {n} AND {HERE}" for n in (4, 3)),
            f"UPDATE audit_entries SET n = 3 WHERE n = 99 AND {HERE}",
        ],
        [(3, "moved"), (4, "moved"), (5, "moved")],
    ),
    "inserted in the middle": (
        [
            *(f"UPDATE audit_entries SET n = {n + 1} WHERE n = {n} AND {HERE}" for n in (6, 5, 4)),
            COPY.replace("SELECT township_id, n,", "SELECT township_id, n + 1,"),
        ],
        [(4, "moved"), (5, "moved"), (6, "moved"), (7, "head"), (7, "moved")],
    ),
    "taken from another chain": (
        [
            COPY.replace("SELECT township_id, n,", f"SELECT '{TOWN}', 7,").replace(
                f"n = 3 AND {HERE}", "n = 2 AND township_id = '321283105'"
            )
        ],
        [(7, "changed"), (7, "head")],
    ),
    "the stored end with another hash": (
        [
            f"UPDATE audit_heads SET hash = (SELECT hash FROM audit_heads WHERE township_id = '321283105') WHERE {HERE}"
        ],
        [(6, "head")],
    ),
    "the stored end set forward": ([f"UPDATE audit_heads SET n = 9 WHERE {HERE}"], [(7, "missing")]),
    "a number twice": ([*FREED, COPY], [(3, "twice")]),
    "the stored end set back": ([f"UPDATE audit_heads SET n = 5 WHERE {HERE}"], [(6, "head")]),
    "the stored end removed": ([f"DELETE FROM audit_heads WHERE {HERE}"], [(6, "head")]),
}


@pytest.fixture
def kept(hand: Hand) -> Hand:
    """A chain of six entries, and another that nobody touches."""
    hand.append(*some_acts(6), *some_acts(2, "321283105"))
    return hand


@pytest.mark.parametrize("how", BROKEN)
def test_what_was_put_wrong_is_found_and_named(kept: Hand, run: Run, how: str) -> None:
    assert run("audit", "verify").code == 0
    statements, expected = BROKEN[how]
    kept.sql(*statements)
    said = run("audit", "verify", "--json")
    assert said.code == 1
    broken, other = said.json["chains"]
    assert sorted((fault["n"], fault["what"]) for fault in broken["faults"]) == expected
    assert (other["township"], other["faults"], said.json["ok"]) == ("321283105", [], False)
    assert run("audit", "verify", "--township", "321283105").code == 0
    plain = run("audit", "verify")
    assert str(expected[0][0]) in plain.out
    assert plain.sentence.startswith("The audit does not fit in")


def test_a_cut_end_is_noticed_by_a_head_that_was_kept(kept: Hand, run: Run) -> None:
    head, _ = run("audit", "head").out.splitlines()
    assert run("audit", "verify", "--head", head).code == 0
    kept.sql(
        f"DELETE FROM audit_entries WHERE n = 6 AND {HERE}",
        "UPDATE audit_heads SET n = 5, hash = (SELECT hash FROM audit_entries e WHERE e.n = 5 AND "
        f"e.township_id = '{TOWN}') WHERE {HERE}",
    )
    assert run("audit", "verify").code == 0  # by itself it looks whole
    said = run("audit", "verify", "--json", "--head", head)
    assert said.code == 1
    assert [(fault["n"], fault["what"]) for fault in said.json["chains"][0]["faults"]] == [(6, "cut")]
    kept.sql(f"DELETE FROM audit_entries WHERE {HERE}", f"DELETE FROM audit_heads WHERE {HERE}")
    assert run("audit", "verify").code == 0
    assert run("audit", "verify", "--head", head).code == 1


def test_what_was_erased_verifies_and_is_called_erased(kept: Hand, run: Run) -> None:
    kept.engine(
        lambda engine: transact(
            engine, lambda c: erase(c, TOWN, [5, 2], by=OPERATOR, now_ms=1_795_000_000_100)
        )
    )
    said = run("audit", "verify", "--json", "--township", TOWN)
    (chain,) = said.json["chains"]
    assert (said.code, chain["erased"], chain["faults"], chain["entries"]) == (0, [2, 5], [], 7)
    plain = run("audit", "verify")
    assert (plain.code, "erased 已抹去明细: 2, 5." in plain.out) == (0, True)
    listed = run("audit", "list", "--json", "--township", TOWN).json
    assert [entry["n"] for entry in listed if entry["detail"] is None and entry["salt"] is None] == [2, 5]
    assert (listed[6]["act"], json.loads(listed[6]["detail"])) == ("detail_erased", {"entries": [2, 5]})


def test_doctor_says_in_one_line_whether_each_chain_ends_where_it_says(kept: Hand, run: Run) -> None:
    run("migrate")

    def check() -> tuple[str, str]:
        (found,) = [one for one in run("doctor", "--json").json["checks"] if one["name"] == "audit"]
        return found["state"], found["says"]

    entries = kept.rows("SELECT count(*) FROM audit_entries")[0][0]
    assert check() == ("well", f"{entries} entries in 3 chains, each ends where it says")
    kept.sql(f"DELETE FROM audit_entries WHERE n = 6 AND {HERE}")
    assert check() == ("bad", f"does not end where it says: {TOWN}")


def test_a_long_chain_is_read_to_its_end(hand: Hand, run: Run) -> None:
    """Longer than what is read from the database at once."""
    acts = some_acts(2_100)

    async def all_at_once(connection: AsyncConnection) -> None:
        for act in acts:
            await append(connection, act)

    hand.engine(lambda engine: transact(engine, all_at_once))
    assert run("audit", "verify", "--json").json["chains"][0]["entries"] == 2_100
    hand.sql("UPDATE audit_entries SET at_ms = 1 WHERE n = 2050")
    (chain,) = run("audit", "verify", "--json").json["chains"]
    assert [(fault["n"], fault["what"]) for fault in chain["faults"]] == [(2_050, "changed")]


@pytest.mark.parametrize("text", ["", "x", f"{TOWN}:6", f"{TOWN}:x:{'0' * 64}", f"{TOWN}:6:{'0' * 63}"])
def test_what_is_no_head_is_refused(run: Run, text: str) -> None:
    said = run("audit", "verify", "--head", text)
    assert (said.code, "A head is written as" in said.sentence) == (1, True)


def test_the_list_is_bounded_by_chain_and_time(kept: Hand, run: Run) -> None:
    assert "添加人员 staff_added" in run("audit", "list").out
    assert len(run("audit", "list", "--json").json) == 8
    assert {row["township"] for row in run("audit", "list", "--json", "--township", TOWN).json} == {TOWN}
    assert run("audit", "list", "--since", "2099-01-01", "--json").json == []
    assert len(run("audit", "list", "--since", "2026-11-01", "--json").json) == 8
    kept.sql("DELETE FROM audit_entries", "DELETE FROM audit_heads")
    assert "还没有审计记录" in run("audit", "list").out
    assert "还没有审计记录" in run("audit", "verify").out
