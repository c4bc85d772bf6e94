"""The commands of `roundbook` on the test's own database, and rows of the audit put wrong by hand."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.audit.acts import OPERATOR, Act
from server.audit.log import append
from server.cli import main
from server.storage.engine import open_engine, transact
from tests.server.test_cli import Run, Said
from tests.vaults import TEXT, vault

T = TypeVar("T")
TOWN = "321283104"


@pytest.fixture
def anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Runs a command line without any database named, in a folder of its own."""
    for name in [name for name in os.environ if name.startswith("ROUNDBOOK_") or name == "COLUMNS"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ROUNDBOOK_MASTER_KEY", TEXT)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(int(exit_.value.code or 0), said.out, said.err)

    before = os.umask(0o022)
    yield run
    os.umask(before)


@pytest.fixture
def run(anywhere: Run, database_url: str) -> Run:
    """Runs a command line on the test's own database."""
    return lambda *arguments: anywhere(*arguments, "--database", database_url)


class Hand:
    """Somebody at the database itself."""

    def __init__(self, url: str) -> None:
        self._url = url

    def engine(self, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
        async def run() -> T:
            engine = open_engine(self._url, pool_size=4, vault=vault())
            try:
                return await work(engine)
            finally:
                await engine.dispose()

        return asyncio.run(run())

    def append(self, *acts: Act) -> None:
        """Each in a transaction of its own."""

        async def work(engine: AsyncEngine) -> None:
            for act in acts:
                await transact(engine, partial(append, act=act))

        self.engine(work)

    def sql(self, *statements: str) -> None:
        async def write(connection: AsyncConnection) -> None:
            for statement in statements:
                await connection.execute(text(statement))

        self.engine(lambda engine: transact(engine, write))

    def rows(self, statement: str) -> Sequence[Any]:
        async def read(connection: AsyncConnection) -> Sequence[Any]:
            return (await connection.execute(text(statement))).all()

        return self.engine(lambda engine: transact(engine, read))


@pytest.fixture
def hand(database_url: str) -> Hand:
    return Hand(database_url)


def some_acts(count: int, township: str = TOWN) -> list[Act]:
    """Acts of a township."""
    return [
        Act(township, "staff_added", OPERATOR, 1_795_000_000_000 + n, {"staff": f"s{n}", "role": "clerk"})
        for n in range(1, count + 1)
    ]
