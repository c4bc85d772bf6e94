"""The list of erasures outside the database: durable, appended by many, and carried out again after a restore."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec

from server.audit.acts import OPERATOR
from server.privacy import applying
from server.privacy.applying import Applied
from server.privacy.listing import Line, append, line_of, lines_in
from server.privacy.recording import record
from server.privacy.replaced import erased_in
from server.storage.erasures import Erasure
from server.vault.township import keys_from
from tests.e2e.village import TOWN, Village, settled
from tests.privacy.desk import WORDS, Desk, matter, on_device
from tests.privacy.rows import put_back, taken

KEY, OTHER = (keys_from(TOWN, {1: b"d" * 32}, hash_key) for hash_key in (b"h" * 32, b"i" * 32))
MANY = """
import sys
from pathlib import Path
from server.privacy.listing import Line, append
for n in range(50):
    append(Path(sys.argv[1]), [Line("321283104", f"{sys.argv[2]}-{n}", "matter", "asked", n)])
"""


def an_erasure(record_id: str) -> Erasure:
    return Erasure(TOWN, record_id, "matter", f"{TOWN}-2026-00001", "asked", WORDS, "operator", 7)


def test_a_line_has_ids_and_what_vouches_for_it_and_no_word(tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    line = line_of(an_erasure("01900000-0000-7000-8000-000000000001"), KEY)
    append(file, [line])
    assert list(lines_in(file)) == [line]
    assert WORDS not in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0
    assert line.genuine(KEY)
    assert not line.genuine(OTHER)
    assert not msgspec.structs.replace(line, record="01900000-0000-7000-8000-000000000002").genuine(KEY)


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    first, second = (line_of(an_erasure(f"01900000-0000-7000-8000-00000000000{n}"), KEY) for n in (1, 2))
    append(file, [first])
    with file.open("ab") as torn:
        torn.write(b'{"township":"3212')
    append(file, [second])
    assert list(lines_in(file)) == [first, 2, second]
    assert list(lines_in(tmp_path / "none")) == []


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    running = [subprocess.Popen([sys.executable, "-c", MANY, str(file), str(n)]) for n in range(3)]
    assert [one.wait() for one in running] == [0, 0, 0]
    lines = list(lines_in(file))
    assert len(lines) == 150
    assert {one.record for one in lines if isinstance(one, Line)} == {
        f"{p}-{n}" for p in range(3) for n in range(50)
    }


def test_what_a_restore_brings_back_is_erased_again(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    kept = village.device("李强")  # it knows of both, and is away when they are erased
    old = matter(wang)
    settled(village, wang)
    backup = taken(village)
    young = matter(wang)
    settled(village, wang, kept)
    kept.update(kept.get(young.id), narrative=f"{WORDS}，再记。")
    for one in (old, young):
        desk.erase(wang.get(one.id).number or "")
    listed = village.folder / "erasures.jsonl"
    put_back(village, backup)
    assert desk.tables_with() != set()
    append(listed, [Line(TOWN, old.id, "matter", "asked", 1, hmac="0" * 64)])  # which hides no genuine one
    counted = applying.apply(village.services.engine, listed, OPERATOR, village.clock(), dry_run=True)
    assert village.run(counted).erased == 2
    assert not village.state(old.id).erased
    done = village.run(applying.apply(village.services.engine, listed, OPERATOR, village.clock()))
    assert (done.erased, done.already, done.refused) == (2, 0, 1)
    assert desk.tables_with() == set()
    assert village.state(young.id).erased, "the backup had never heard of it"
    assert village.state(young.id).number == f"{TOWN}-2026-00002"
    again = village.run(applying.apply(village.services.engine, listed, OPERATOR, village.clock()))
    assert (again.erased, again.already) == (0, 2)
    settled(village, wang, kept)
    assert not on_device(wang)
    assert not on_device(kept)
    assert desk.tables_with() == set()
    assert len(list(lines_in(listed))) == 3, "what was carried out again is listed already"


def test_a_device_that_offers_an_erased_record_again_is_told_so(village: Village, desk: Desk) -> None:
    """It was restored from a copy of before, as the server was."""
    wang = village.device("王芳")
    made = matter(wang)
    backup = taken(village)
    settled(village, wang)
    with wang._store.read() as tx:
        changes = tx.rows("SELECT * FROM changes")
    number = wang.get(made.id).number or ""
    desk.erase(number)
    settled(village, wang)
    with wang._store.write() as tx:
        holes = ", ".join("?" for _ in changes[0])
        for row in changes:
            tx.run(f"INSERT OR REPLACE INTO changes VALUES ({holes})", *row)
    put_back(village, backup)
    listed = village.folder / "erasures.jsonl"
    village.run(applying.apply(village.services.engine, listed, OPERATOR, village.clock()))
    report = wang.sync()
    assert report.erased == report.sent > 0
    assert not on_device(wang)
    assert desk.tables_with() == set()
    assert village.state(made.id).number == number


def test_lines_that_nobody_vouches_for_erase_nothing(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    forged = Line(TOWN, made.id, "matter", "asked", 1, hmac="0" * 64)
    elsewhere = line_of(msgspec.structs.replace(an_erasure(made.id), township="999999999"), KEY)
    assert forged.record == made.id
    lines: list[Line | int] = [forged, elsewhere, Line(TOWN, "no id", "matter", "asked", 1), 4]
    work = applying.apply_lines(village.services.engine, lines, OPERATOR, village.clock())
    assert village.run(work) == Applied(refused=4)
    assert not village.state(made.id).erased
    assert desk.tables_with() != set()


def test_a_hold_is_named_and_left_alone(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    desk.hold(made.id)
    backup = taken(village)
    desk.lift(made.id)
    desk.erase(made.id)
    put_back(village, backup)
    listed = village.folder / "erasures.jsonl"
    done = village.run(applying.apply(village.services.engine, listed, OPERATOR, village.clock()))
    assert (done.erased, done.held) == (0, (made.id,))
    assert not village.state(made.id).erased


def test_a_list_that_cannot_be_written_is_written_later(village: Village, desk: Desk) -> None:
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    listed = village.folder / "erasures.jsonl"
    listed.mkdir()
    assert not desk.erase(made.id).listed
    assert village.state(made.id).erased
    listed.rmdir()
    assert village.run(record(village.services.engine, listed, TOWN))
    (line,) = lines_in(listed)
    assert isinstance(line, Line)
    assert line.record == made.id
    assert village.run(record(village.services.engine, listed, TOWN))
    assert len(list(lines_in(listed))) == 1


def test_the_replaced_database_knows_them_too(village: Village, desk: Desk) -> None:
    if not village.url.startswith("sqlite"):
        return  # of a PostgreSQL, nothing is at hand after a restore
    wang = village.device("王芳")
    made = matter(wang)
    settled(village, wang)
    desk.erase(made.id)
    file = Path(village.url.partition("///")[2])
    (known,) = erased_in(file)
    (listed,) = lines_in(village.folder / "erasures.jsonl")
    assert isinstance(listed, Line)
    assert (known.record_id, known.erased_ms) == (listed.record, listed.at) == (made.id, listed.at)
    work = applying.apply_erasures(village.services.engine, [known], OPERATOR, village.clock())
    assert village.run(work) == Applied(already=1)
    assert erased_in(None) == []
    damaged = village.folder / "damaged.db"
    damaged.write_bytes(b"x" * 100)
    assert erased_in(damaged) == []


def test_no_byte_of_the_files_has_it_any_more(village: Village, desk: Desk) -> None:
    """SQLite: also what was freed in the file, and its log. What PostgreSQL keeps, its vacuum takes."""
    if not village.url.startswith("sqlite"):
        return
    file = Path(village.url.partition("///")[2])
    wang = village.device("王芳")
    made = matter(wang, narrative=f"{WORDS}。" * 400)  # several pages long
    settled(village, wang)
    for text in (f"{WORDS}又。" * 300, f"{WORDS}再。"):  # what an edit replaces is freed in the file
        wang.update(wang.get(made.id), narrative=text)
        settled(village, wang)
    assert WORDS.encode() in _bytes(file)
    desk.erase(made.id)
    assert WORDS.encode() not in _bytes(file)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _bytes(file: Path) -> bytes:
    return b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))
