"""Real devices on real server processes, some of which are killed: their history shows no anomaly."""

from pathlib import Path

import pytest

from tests.judge.history import Op
from tests.judge.round import Size, judged, play

SHORT = Size(devices=4, rounds=6, records=4, servers=2, kills=1, faults=0.15, loss=0.1)


def effective(history: list[Op]) -> set[str]:
    return {op.outcome for op in history if op.appends}


@pytest.mark.slow
def test_concurrent_devices_on_several_servers_are_strictly_serialisable(
    database_url: str, tmp_path: Path
) -> None:
    played = play(database_url, tmp_path, seed=2, size=SHORT)
    assert list(map(str, judged(played))) == []
    # Something was judged: appends that took effect, and lists that showed them.
    assert "ok" in effective(played.history)
    assert max(len(read.values) for op in played.history for read in op.reads) > 1
    assert {"request lost", "answer lost", "server killed"} <= set(played.faults)
