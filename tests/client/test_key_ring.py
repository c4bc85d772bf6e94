"""The passphrase in the platform's key ring. The ring of the tests is one of the library's kind, in memory."""

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
import typer
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoRing
from keyring.errors import PasswordDeleteError

from client_sdk import FieldClient, key_ring
from client_sdk.cli import main
from sync_protocol.errors import NotFound

FIRST, SECOND = "第一个口令", "第二个口令"


class Ring(KeyringBackend):
    """A ring that forgets with its process."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


@pytest.fixture
def ring() -> Iterator[Ring]:
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ROUNDBOOK_PASSPHRASE", raising=False)
    path = tmp_path / "worker.rbk"
    FieldClient.open(path, passphrase=FIRST).close()
    return path


def run(store: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--store", str(store), *arguments])
    return int(ended.value.code or 0)


def test_a_passphrase_that_is_remembered_need_not_be_typed(
    ring: Ring, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDBOOK_PASSPHRASE", FIRST)
    assert run(store, "remember-passphrase") == 0
    monkeypatch.delenv("ROUNDBOOK_PASSPHRASE")
    assert list(ring.kept.values()) == [FIRST]
    assert run(store, "queue") == 0  # nobody is there who could type
    assert run(store, "forget-passphrase") == 0
    assert ring.kept == {}

    def asked(*_: object, **__: object) -> str:
        raise typer.Abort

    monkeypatch.setattr("client_sdk.cli.opening.typer.prompt", asked)
    assert run(store, "queue") == 130


def test_a_wrong_passphrase_is_not_remembered(
    ring: Ring, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDBOOK_PASSPHRASE", SECOND)
    assert run(store, "remember-passphrase") == 1
    assert ring.kept == {}


@pytest.mark.usefixtures("ring")
def test_another_passphrase_is_remembered_too(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_ring.remember(store, FIRST)
    monkeypatch.setenv("ROUNDBOOK_NEW_PASSPHRASE", SECOND)
    assert run(store, "set-passphrase") == 0
    assert key_ring.remembered(store) == SECOND
    assert run(store, "queue") == 0


@pytest.mark.usefixtures("ring")
def test_each_store_has_its_own(store: Path) -> None:
    key_ring.remember(store, FIRST)
    assert key_ring.remembered(store.with_name("other.rbk")) is None


def test_where_there_is_no_ring_it_says_so_and_the_passphrase_is_typed(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(NoRing())  # type: ignore[no-untyped-call]  # the library leaves it without types
    try:
        assert key_ring.remembered(store) is None
        with pytest.raises(NotFound, match="no key ring"):
            key_ring.remember(store, FIRST)
        monkeypatch.setenv("ROUNDBOOK_PASSPHRASE", FIRST)
        assert run(store, "remember-passphrase") == 1
        assert "钥匙串" in capsys.readouterr().err
    finally:
        keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
def test_a_ring_that_keeps_an_old_passphrase_shuts_nobody_out(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_ring.remember(store, FIRST)
    with FieldClient.open(store, passphrase=FIRST) as device:
        device.set_passphrase(SECOND)
    monkeypatch.setattr("client_sdk.cli.opening.typer.prompt", lambda *_, **__: SECOND)
    assert run(store, "queue") == 0
