"""The command in small: a work is run, its figures are told in all three ways, and the exit code says what they say."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.figures import Outcome

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.postgres
def test_a_run_tells_its_figures_and_ends_with_what_they_say(shared_data: Path, tmp_path: Path) -> None:
    assert shared_data.exists()  # the workload and the floor lie beside it
    words = ["--only", "W1", "edits", "--records", "400", "--runs", "1"]
    files = ["--json", str(tmp_path / "bench.json"), "--pictures", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    found = {
        one.figure.name: one
        for one in msgspec.json.decode((tmp_path / "bench.json").read_bytes(), type=list[Outcome])
    }
    assert done.returncode == any(one.reached is False for one in found.values())
    assert found["upload"].floor is not None
    assert found["upload"].measured > 0
    assert found["conflicting"].ours == pytest.approx(25, abs=1)
    for work in ("W1", "edits"):
        assert work in done.stdout
        assert "<svg " in (tmp_path / f"{work}.svg").read_text(encoding="utf-8")
