"""Simulations of a township: those that failed once, and some hundred fresh ones.

They run as `make simulate` runs them, in processes of their own with a fixed order of sets, so that a seed that
fails here fails everywhere: `make simulate SEED=...` shows its shortest trace.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.loop import SimulatedLoop, StuckError
from tests.simulation.regressions import PLANS
from tests.simulation.run import plan, simulate
from tests.simulation.template import make

CHECKOUT = Path(__file__).resolve().parents[2]
SEEDS = 100


@pytest.mark.parametrize("first", [1, 1 + SEEDS, 1 + 2 * SEEDS])
def test_every_guarantee_holds_in_each_simulation(first: int) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", "--seeds", str(SEEDS)]
    run = subprocess.run(
        [*command, "--first", str(first)],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert run.returncode == 0, run.stdout[-4_000:] + run.stderr[-4_000:]


def test_what_failed_once_fails_no_more(tmp_path: Path) -> None:
    template = make(tmp_path, max(one.devices for one in PLANS.values()))
    wrong = {name: simulate(template, tmp_path, one).wrong for name, one in PLANS.items()}
    assert wrong == {name: [] for name in PLANS}


def test_a_seed_does_the_same_every_time_and_in_every_process(tmp_path: Path) -> None:
    results = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        results.append(simulate(make(folder, 3), folder, plan(11, 3), wire=True))
    one, other = results
    assert one == other
    assert any('"profile":' in line for line in one.trace), "it names the keys of the township"


def test_time_passes_only_when_nobody_has_anything_to_do() -> None:
    loop = SimulatedLoop()
    with pytest.raises(StuckError):
        loop.run_until_complete(loop.create_future())
    loop.close()
