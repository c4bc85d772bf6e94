"""Settings: from environment and options to one value, with passwords never shown."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from server.refused import RefusedError
from server.settings import async_url, environment, read, shown_database
from sync_protocol.limits import DEFAULTS


def test_the_default_is_sqlite_under_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read({})
    assert settings.file == tmp_path / "data" / "roundbook.db"
    assert settings.embedded
    assert settings.limits == DEFAULTS
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)


def test_options_outrank_the_environment() -> None:
    settings = read({"ROUNDBOOK_PORT": "9000", "ROUNDBOOK_HOST": "::1"}, port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "::1")


@pytest.mark.parametrize("folder", ["plain", "资料 夹", "a%20b?c#d@e:f", "~tilde"])
def test_another_process_gets_the_same_settings(folder: str) -> None:
    settings = read({"ROUNDBOOK_DATA": f"/srv/{folder}", "ROUNDBOOK_CHANGES_MAX": "99"}, workers=3)
    assert read(environment(settings)) == settings
    assert settings.file == Path(f"/srv/{folder}/roundbook.db")
    assert settings.limits.changes_max == 99


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql+asyncpg://u:p@h:5433/d"),
        ("postgres://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql+asyncpg://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("sqlite:////srv/a.db", "sqlite+aiosqlite:////srv/a.db"),
        ("sqlite+aiosqlite:////srv/a.db", "sqlite+aiosqlite:////srv/a.db"),
    ],
)
def test_urls_get_the_driver_that_is_used(given: str, used: str) -> None:
    assert async_url(given) == used


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"ROUNDBOOK_PORT": "abc"}, "ROUNDBOOK_PORT takes a whole number from 0 to 65535, got 'abc'"),
        ({"ROUNDBOOK_PORT": "65536"}, "ROUNDBOOK_PORT takes"),
        ({"ROUNDBOOK_PORT": "８０００"}, "ROUNDBOOK_PORT takes"),
        ({"ROUNDBOOK_WORKERS": "0"}, "ROUNDBOOK_WORKERS takes a whole number from 1"),
        ({"ROUNDBOOK_CHANGES_MAX": "-1"}, "ROUNDBOOK_CHANGES_MAX takes"),
        (
            {"ROUNDBOOK_DATABASE": "mysql://u:secret@h/d"},
            "not in mysql: write sqlite:///FILE or postgresql://",
        ),
        ({"ROUNDBOOK_DATABASE": "u:secret@h/d"}, "named by a URL such as"),
        ({"ROUNDBOOK_DATABASE": "postgresql://u:secret@h:port/d"}, "named by a URL such as"),
        ({"ROUNDBOOK_DATABASE": "postgresql://u:secret@h"}, "names no database"),
        (
            {"ROUNDBOOK_DATABASE": "postgresql://h/d?password=secret"},
            "has the parameter 'password'; known are",
        ),
        ({"ROUNDBOOK_DATABASE": "postgresql://u:secret@/d?host=a:1&host=b"}, "each with its port"),
        ({"ROUNDBOOK_DATABASE": "postgresql://u:secret@a/d?host=b:1"}, "each with its port"),
        ({"ROUNDBOOK_DATABASE": "sqlite://"}, "is a file"),
        ({"ROUNDBOOK_DATABASE": "sqlite:///:memory:"}, "is a file"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_password_is(environ: dict[str, str], says: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read(environ)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_of_several_hosts_the_one_that_takes_writes_is_used() -> None:
    settings = read({"ROUNDBOOK_DATABASE": "postgresql://u:secret@/d?host=a:5432&host=b:5433"})
    query = make_url(settings.database).query
    assert query == {"host": ("a:5432", "b:5433"), "target_session_attrs": "read-write"}
    assert shown_database(settings) == "postgresql://u:***@a:5432,b:5433/d"
    assert read(environment(settings)) == settings
    asked = "postgresql://u:secret@/d?host=a:5432&host=b:5433&target_session_attrs=primary"
    assert make_url(async_url(asked)).query["target_session_attrs"] == "primary"


def test_a_password_is_never_shown() -> None:
    settings = read({"ROUNDBOOK_DATABASE": "postgresql://u:secret@h/d?ssl=require"})
    assert shown_database(settings) == "postgresql://u:***@h/d"
    assert "secret" not in repr(settings)
    assert "secret" not in f"{settings}"
    with pytest.raises(RefusedError, match="embedded database only"):
        _ = settings.file
