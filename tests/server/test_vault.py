"""The master key and the keys of townships: what they seal, and who notices a wrong or a lost one."""

import asyncio
from dataclasses import replace
from secrets import token_bytes

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage import keys as stored
from server.storage import sign_in
from server.storage.engine import open_engine, snapshot, transact
from server.storage.keys import DATA
from server.storage.staff import StaffRow
from server.vault import sealing, service
from server.vault.keeping import Vault, keys_of, opening, vault_of
from server.vault.master import KEY_BYTES, KeyMissing, Master, read, written
from server.vault.sealing import Contact, SealedBody
from server.vault.telephones import of_values
from server.vault.township import Altered, TownshipKeys, UnknownKey, keys_from
from tests.vaults import MASTER, TEXT, vault

pytestmark = pytest.mark.anyio
PHONE = b"13800138000"
OTHER = Master((token_bytes(KEY_BYTES),))


def keys(*numbers: int) -> TownshipKeys:
    return keys_from(
        "321283104", {number: bytes([number]) * KEY_BYTES for number in numbers}, b"h" * KEY_BYTES
    )


def test_what_is_sealed_opens_in_its_township_and_context_only() -> None:
    mine = keys(1)
    sealed = mine.seal(PHONE, "record")
    assert mine.open(sealed, "record") == PHONE
    assert PHONE not in sealed
    assert mine.seal(PHONE, "record") != sealed  # equal values cannot be told
    elsewhere = replace(mine, township="321283105")
    for reader, context in ((mine, "other"), (elsewhere, "record")):
        with pytest.raises(Altered):
            reader.open(sealed, context)
    for damaged in (b"", b"1:", b"1:AAAA", b"x:AAAA", sealed[:-8] + b"AAAAAAA=", sealed + b"!"):
        with pytest.raises(Altered):
            mine.open(damaged, "record")


def test_a_new_data_key_seals_and_the_old_one_still_opens() -> None:
    old, both = keys(1), keys(1, 2)
    assert both.open(old.seal(PHONE, "record"), "record") == PHONE
    with pytest.raises(UnknownKey):
        old.open(both.seal(PHONE, "record"), "record")


def test_keyed_hashes_are_equal_for_equal_values_of_one_purpose_and_township() -> None:
    mine = keys(1)
    assert mine.hash("contact", "13800138000") == keys(1, 2).hash("contact", "13800138000")
    assert mine.hash("contact", "13800138000") != mine.hash("erased", "13800138000")
    assert mine.hash("contact", "13800138000") != replace(mine, township="3", _derived={}).hash(
        "contact", "13800138000"
    )


def test_a_create_shares_the_seals_of_its_record() -> None:
    """A change whose fields are the record's is not sealed twice; one with operations, or other fields, is."""
    mine, contact = keys(1), Contact(frozenset({"phone"}), {"of": frozenset({"phone"})}, (b'"phone"',))
    body = b'{"phone":"13800138000","title":"\\"fields\\":"}'
    noted: list[bytes] = []
    sealed = sealing.values(body, contact, sealing.sealer(mine, "r", noted))
    assert noted == [b'"13800138000"']
    shared = SealedBody(body, sealed, tuple(noted))
    seal = sealing.sealer(mine, "r")
    create = b'{"id":"c","do":"create","fields":' + body + b',"reason":"x"}'
    assert sealing.payload(create, contact, seal, shared) == create.replace(body, sealed)
    put = b',"ops":[{"op":"put","field":"of","entry":"e","values":{"phone":"13900139000"}}]'
    operation = create.replace(b',"reason":"x"', put)
    edit = create.replace(b"13800138000", b"13900139000")
    for change in (create, operation, edit):
        stored = sealing.payload(change, contact, seal, shared)
        assert b"13800138000" not in stored
        assert b"13900139000" not in stored
        assert sealing.opened(stored, mine, "r") == change
    assert sealed not in sealing.payload(edit, contact, seal, shared)


def test_telephone_numbers_are_found_among_what_was_sealed() -> None:
    values = [
        b'"+86 138-0013 8000, 0523-1234567"',
        b'"\xe7\x8e\x8b\xe5\xa4\xa7"',
        b'"12"',
        b'["13900139000"]',
        b"null",
    ]
    assert of_values(values) == {"13800138000", "05231234567"}


def test_no_key_is_shown() -> None:
    assert repr(keys(1)) == "TownshipKeys(township='321283104', number=1)"
    assert repr(MASTER) == "Master()"
    assert repr(vault()) == "Vault()"


def test_a_master_key_is_read_from_text() -> None:
    assert read(TEXT, "x") == MASTER
    two = Master((token_bytes(KEY_BYTES), MASTER.keys[0]))
    lines = f"# comment\n{written(two.keys[0])} # the new one\n\n{TEXT}\n"
    assert read(lines, "x") == two
    assert read(f"{written(two.keys[0])} {TEXT}", "x") == two
    for wrong in ("", "# only a comment", "not base64!", TEXT[:-4], f"{TEXT} {TEXT[4:]}"):
        with pytest.raises(
            KeyMissing, match=r"^master\.key holds no master key: .*roundbook keys make"
        ) as caught:
            read(wrong, "master.key")
        assert wrong[:8] == "" or wrong[:8] not in str(caught.value)


async def test_a_township_is_opened_with_keys_that_every_process_reads(
    engine: AsyncEngine, township: str, database_url: str
) -> None:
    sealed = (await snapshot(engine, lambda c: keys_of(c, township))).seal(PHONE, "record")
    second = open_engine(database_url, vault=vault())
    try:
        there = await snapshot(second, lambda c: keys_of(c, township))
        assert there.open(sealed, "record") == PHONE
    finally:
        await second.dispose()


async def test_a_wrong_master_key_is_recognised_before_anything_is_written(
    township: str, database_url: str
) -> None:
    wrong = open_engine(database_url, vault=vault(OTHER))
    try:
        for look in (
            service.check(wrong),
            service.ensure(wrong, 1),
            snapshot(wrong, lambda c: keys_of(c, township)),
        ):
            with pytest.raises(KeyMissing, match=MASTER.ids[0]) as caught:
                await look
            assert "put back the copy of the right master.key" in str(caught.value)
            assert TEXT not in str(caught.value)
    finally:
        await wrong.dispose()


async def test_a_township_opened_before_there_were_keys_gets_them_once(
    engine: AsyncEngine, township: str
) -> None:
    await transact(engine, lambda c: c.execute(text("DELETE FROM township_keys")))
    with pytest.raises(KeyMissing, match="roundbook keys ensure"):
        await snapshot(engine, lambda c: keys_of(c, township))
    made = await asyncio.gather(*(service.ensure(engine, 1) for _ in range(3)))
    assert [township] in made
    first = await service.listed(engine)
    assert await service.ensure(engine, 2) == []
    assert await service.listed(engine) == first
    await snapshot(engine, lambda c: keys_of(c, township))


async def test_a_key_that_another_process_made_is_picked_up(engine: AsyncEngine, township: str) -> None:
    before = await snapshot(engine, lambda c: keys_of(c, township))

    async def add(connection: AsyncConnection) -> None:
        row = vault().wrapped(township, DATA, 2, token_bytes(KEY_BYTES), 5)
        await stored.add(connection, row)

    await transact(engine, add)
    second = Vault(lambda: MASTER)
    sealed = (await snapshot(engine, lambda c: second.keys(c, township))).seal(PHONE, "record")
    with pytest.raises(UnknownKey):
        before.open(sealed, "record")
    assert await snapshot(engine, lambda c: opening(c, township, lambda k: k.open(sealed, "record"))) == PHONE


async def test_a_secret_of_another_feature_is_kept_wrapped(engine: AsyncEngine, township: str) -> None:
    async def keep(connection: AsyncConnection) -> None:
        for secret in (b"first", b"second"):
            await vault_of(connection).keep(connection, township, "another", secret, 5)

    await transact(engine, keep)
    assert await snapshot(engine, lambda c: vault_of(c).kept(c, township, "another")) == [
        b"second",
        b"first",
    ]
    assert await snapshot(engine, lambda c: vault_of(c).kept(c, township, "nothing")) == []
    rows = await service.listed(engine)
    assert not any(b"second" in row.wrapped.sealed for row in rows)
    assert {row.purpose for row in rows} == {"data", "hash", "recovery", "another"}


async def test_what_is_wrapped_cannot_be_moved_to_another_row(engine: AsyncEngine, township: str) -> None:
    data, hashing = (await service.listed(engine))[:2]
    assert data.township == hashing.township == township
    with pytest.raises(KeyMissing, match="was altered"):
        MASTER.unwrap(data.wrapped, hashing.context)


async def test_the_secrets_of_the_second_factor_are_sealed(engine: AsyncEngine, worker: StaffRow) -> None:
    """In a link and in a credential; one from before is used as it is, until it is sealed anew."""
    town, secret = worker.township, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    link = sign_in.LinkRow("h" * 64, worker.staff_id, secret, 9)
    kept = sign_in.Credential(worker.staff_id, "$argon2", secret, 0, (), 1)

    async def put(connection: AsyncConnection) -> None:
        await sign_in.replace_links(connection, town, worker.staff_id, link)
        await sign_in.put_credential(connection, town, kept)

    async def stored_secrets(connection: AsyncConnection) -> list[str]:
        rows = "SELECT totp_secret FROM links UNION ALL SELECT totp_secret FROM credentials"
        return [str(row.totp_secret) for row in await connection.execute(text(rows))]

    async def both(connection: AsyncConnection) -> tuple[object, object]:
        return (
            await sign_in.link(connection, town, "h" * 64),
            await sign_in.credential(connection, town, worker.staff_id),
        )

    await transact(engine, put)
    assert not any(secret in one for one in await snapshot(engine, stored_secrets))
    assert await snapshot(engine, both) == (link, kept)
    await transact(engine, lambda c: c.execute(text(f"UPDATE credentials SET totp_secret = '{secret}'")))
    assert await snapshot(engine, both) == (link, kept)
    await transact(engine, lambda c: sign_in.reseal(c, town))
    assert not any(secret in one for one in await snapshot(engine, stored_secrets))
    assert await snapshot(engine, both) == (link, kept)
