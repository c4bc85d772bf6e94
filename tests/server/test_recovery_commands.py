"""`roundbook recovery` and `roundbook device recover`, as an office meets them: real processes, real stores."""

import json
import re
from pathlib import Path

import pytest

from client_sdk import FieldClient, WrongPassphrase
from tests.processes import GRID, TOWN, Served, device_code, open_town, run, serving

PASSPHRASE, NEW = "口令 with spaces", "新口令 with spaces"


def unsent(served: Served, folder: Path, name: str = "worker") -> Path:
    """A store with a change that was never sent."""
    store = folder / f"{name}.rbk"
    with FieldClient.open(store, passphrase=PASSPHRASE, sleep=lambda _: None) as worker:
        worker.enrol(served.url, code=device_code(served.folder, "王芳"))
        worker.sync()
        worker.create("matter", grid=GRID, nature="dispute", title="针needle")
    return store


@pytest.mark.slow
def test_an_office_opens_what_a_worker_cannot(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served:
        open_town(served.folder, "王芳")
        stores = [unsent(served, tmp_path), unsent(served, tmp_path, "second")]

        def roundbook(*arguments: object, **variables: str) -> str:
            done = run(served.folder, *map(str, arguments), **variables)
            assert done.returncode == 0, done.stderr
            return done.stdout + done.stderr

        def refused(*arguments: object) -> str:
            done = run(served.folder, *map(str, arguments))
            assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
            return done.stderr

        recovered = json.loads(roundbook("device", "recover", *stores, "--json"))
        assert [(one["sent"], one["duplicates"]) for one in recovered] == [(1, 0), (1, 0)]
        key = tmp_path / "office.key"
        key.touch()
        exporting = ("recovery", "export", key, "--township", TOWN, "--offline")
        assert "never written over" in refused(*exporting)
        key.unlink()
        assert "two places" in roundbook(*exporting)
        assert key.stat().st_mode & 0o077 == 0
        assert "not on this server" in refused("device", "recover", stores[0])
        assert "with the office since" in roundbook("recovery", "list", COLUMNS="200")
        assert re.search(r" 1 +1 +0", roundbook("device", "recover", stores[0], "--key", key))

        setting = ("device", "recover", stores[0], "--passphrase", "--key", key)
        assert "新口令已设好" in roundbook(*setting, ROUNDBOOK_NEW_PASSPHRASE=NEW)
        with pytest.raises(WrongPassphrase):
            FieldClient.open(stores[0], passphrase=PASSPHRASE)
        with FieldClient.open(stores[0], passphrase=NEW, sleep=lambda _: None) as worker:
            assert worker.sync().duplicates == 1

        roundbook("recovery", "renew", "--township", TOWN)
        assert "another recovery key" in refused("device", "recover", stores[1])
        acts = [one["act"] for one in json.loads(roundbook("audit", "list", "--township", TOWN, "--json"))]
        assert (acts.count("device_recovered"), acts.count("recovery_key_exported")) == (4, 1)
        assert acts.count("recovery_key_made") == 1
        said = served.log.read_text() + roundbook("audit", "list", "--township", TOWN, "--json")
        assert "needle" not in said
        assert NEW not in said

        (first, _) = json.loads(roundbook("device", "list", "--json"))
        assert first["lease_until"] > first["last_heard_at"]
        assert (first["clock_uncertainty_ms"], first["client"]) == (2_000, "roundbook-device/0.1")
        assert abs(first["clock_ahead_ms"]) < 10_000
        assert "right ±2 s" in roundbook("device", "list", COLUMNS="200")
