"""A device whose base is not what the server sent: it notices by itself, reads the grid again, and says so."""

import pytest
from structlog.testing import capture_logs

from tests.e2e.village import GRID, NEXT_GRID, TOWN, Village, assert_converged, holds

DAMAGE = {
    "a value": "UPDATE records SET body = CAST(replace(CAST(body AS text), 'first', 'fifth') AS blob)",
    "a row is gone": "DELETE FROM records WHERE id = (SELECT min(id) FROM records)",
    "every row is gone": "DELETE FROM records",
    "a state": "UPDATE records SET state = 'done' WHERE number IS NOT NULL",
    "a number": f"UPDATE records SET number = '{TOWN}-2026-00777' WHERE number IS NOT NULL",
    "a place": f"UPDATE records SET place = '{NEXT_GRID}' WHERE number IS NOT NULL",
    "a place in no grid": "UPDATE records SET place = '' WHERE number IS NOT NULL",
    "a sum that was kept": "UPDATE records SET high = high + 1 WHERE number IS NOT NULL",
    "a version that is too high": "UPDATE records SET version = version + 1000000, state = 'done'",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_base_is_read_again_and_reported(village: Village, damage: str) -> None:
    device = village.device("王芳", GRID, NEXT_GRID)
    device.act(device.create("well", grid=GRID, title="first"), "report")
    second = device.create("well", grid=GRID, title="second")
    device.create("well", grid=NEXT_GRID, title="elsewhere")
    device.sync()
    sound = holds(device)
    with device._store.write() as tx:
        assert tx.run(damage)
        tx.run("DELETE FROM meta WHERE key = 'weighed'")  # a day goes by
    device.update(device.get(second.id) if second.id in holds(device) else second, note="unsent meanwhile")
    with capture_logs() as logs:
        report = device.sync()
    assert report.complete
    assert GRID in report.reread
    assert_converged(village, device, GRID, NEXT_GRID)
    assert holds(device).keys() == sound.keys()
    assert device.get(second.id).fields["note"] == "unsent meanwhile"
    told = [line for line in logs if line["event"] == "digest_differs"]
    assert [(line["device"], line["log_level"]) for line in told] == [(device.me().device, "warning")]
    assert GRID in told[0]["grids"]
    assert device.sync().reread == ()
