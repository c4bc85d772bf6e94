"""TLS by settings: what is spoken, what a device believes, and what it says when it does not."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from client_sdk import AsyncFieldClient, FieldClient, OfficeClient, Offline, Refused
from client_sdk.trust import township_time_ms
from tests.certificates import TODAY, Authority, Pair
from tests.processes import GRID, Served, application_token, device_code, open_town, run, serving

DAY_MS = 86_400_000
NOW_MS = int(TODAY.timestamp()) * 1000
PASSPHRASE = "口令 with spaces"
WORKER = "王芳"


@contextmanager
def encrypted(folder: Path, pair: Pair, *arguments: str) -> Iterator[Served]:
    files = ("--certificate", str(pair.certificate), "--certificate-key", str(pair.key))
    with serving(folder, *files, *arguments) as served:
        yield served


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Served]:
    """A township behind TLS."""
    with encrypted(tmp_path_factory.mktemp("town") / "data", authority.issue()) as served:
        open_town(served.folder, WORKER)
        yield served


def code(town: Served) -> str:
    return device_code(town.folder, WORKER)


def device(folder: Path, *, now_ms: int = NOW_MS, to_sync: bool = False) -> FieldClient:
    """`to_sync` for a clock that has jumped past the lease: the sync opens the store again."""
    return FieldClient.open(
        folder / "worker.rbk",
        passphrase=PASSPHRASE,
        clock=lambda: now_ms,
        sleep=no_time,
        to_sync=to_sync,
    )


def no_time(_: float) -> None:
    """No pause between attempts."""


async def no_time_either(_: float) -> None:
    """The same under asyncio."""


@pytest.mark.slow
def test_a_device_that_pins_the_authority_works_over_tls(
    town: Served, authority: Authority, tmp_path: Path
) -> None:
    assert town.url.startswith("https://")
    with device(tmp_path) as worker:
        worker.enrol(town.url, code=code(town), ca=authority.file)
        made = worker.create("matter", grid=GRID, nature="dispute", title="水渠堵塞")
        assert worker.sync().complete
    with device(tmp_path) as again:  # the store has the authority: its file may be gone
        assert again.sync().complete
        assert again.get(made.id).delivery == "received"

    async def under_asyncio() -> bool:
        folder = tmp_path / "second"
        folder.mkdir()
        async with AsyncFieldClient.open(
            folder / "worker.rbk", passphrase=PASSPHRASE, sleep=no_time_either
        ) as worker:
            await worker.enrol(town.url, code=code(town), ca=authority.file)
            return (await worker.sync()).complete

    assert asyncio.run(under_asyncio())


@pytest.mark.slow
def test_nothing_below_tls_1_2_is_spoken(town: Served) -> None:
    def handshake(version: ssl.TLSVersion) -> str | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", town.port), timeout=10) as link,
            context.wrap_socket(link) as wrapped,
        ):
            return wrapped.version()

    assert handshake(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert handshake(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(ssl.TLSVersion.TLSv1_1)


@pytest.mark.slow
def test_browsers_are_told_to_stay_with_tls(town: Served, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.file))
    for path, status in (("/v1/health/live", 200), ("/v1/records", 401), ("/nothing", 404)):
        answer = httpx2.get(f"{town.url}{path}", verify=context, timeout=10)
        assert (answer.status_code, answer.headers["strict-transport-security"]) == (
            status,
            "max-age=31536000",
        )
    with socket.create_connection(("127.0.0.1", town.port), timeout=10) as link:
        link.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in link.recv(1000)


@pytest.mark.slow
def test_a_device_refuses_a_server_that_its_authority_does_not_vouch_for(
    town: Served, authority: Authority, tmp_path: Path
) -> None:
    """Nothing is sent: neither the one-time code nor the queue, and nothing is lost."""
    given = code(town)
    with device(tmp_path) as worker:
        for ca in (None, Authority(tmp_path, "other").file):
            with pytest.raises(Offline, match=r"--ca.*nothing is lost"):
                worker.enrol(town.url, code=given, ca=ca)
        with pytest.raises(Refused, match="https://"):
            worker.enrol(town.url.replace("https", "http"), code=given, ca=authority.file)
        worker.enrol(town.url, code=given, ca=authority.file)
        worker.create("matter", grid=GRID, nature="dispute", title="水渠堵塞")
        with pytest.raises(Refused, match="https://"):
            worker.set_server(town.url.replace("https", "http"))
        worker.set_server(town.url, ca=tmp_path / "other.pem")
        with pytest.raises(Offline, match=r"可信机构.*--ca.*没有丢"):
            worker.sync()
        assert len(worker.queue()) == 1
        worker.set_server(town.url, ca=authority.file)
        assert worker.sync().sent == 1


@pytest.mark.slow
def test_a_qr_code_is_enough_to_enrol_and_to_pin(authority: Authority, tmp_path: Path) -> None:
    """The server shows its authority, whose fingerprint is in the code; nobody else is told the code."""
    pair = authority.issue("shows-all")
    with pair.certificate.open("ab") as chain:
        chain.write(authority.file.read_bytes())
    with (
        encrypted(tmp_path / "data", pair) as served,
        encrypted(tmp_path / "else", authority.issue()) as short,
    ):
        open_town(served.folder, WORKER)
        named = ("--url", served.url, "--ca", str(authority.file), "--qr-file", str(tmp_path / "code.svg"))
        said = run(served.folder, "device", "code", "--worker", WORKER, "--grid", GRID, "--json", *named)
        text = json.loads(said.stdout)["invitation"]
        other = "sha256:" + "A" * 43
        for wrong in (
            text.replace("https", "http"),
            text.replace(served.url, short.url),  # it does not show its authority
            " ".join([*text.split()[:3], other]),
        ):
            with device(tmp_path) as worker, pytest.raises(Refused, match=r"https://|--ca"):
                worker.enrol(wrong)
        with device(tmp_path) as worker:
            with pytest.raises(Refused, match="QR"):
                worker.enrol("ROUNDBOOK1 nonsense")
            with pytest.raises(Refused, match="QR"):
                worker.enrol(text, ca=Authority(tmp_path, "other").file)
            with pytest.raises(Offline):
                worker.enrol(text.replace(str(served.port), "1"))
            worker.enrol(text)
            assert worker.me().name == WORKER
            assert worker.sync().complete
        assert (tmp_path / "code.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_a_certificate_for_another_address_is_refused(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("elsewhere", address="10.9.8.7")
    with encrypted(tmp_path / "data", pair) as served, device(tmp_path) as worker:
        with pytest.raises(Offline, match="for another address"):
            worker.enrol(served.url, code="AAAA-AAAA", ca=authority.file)
        with (
            OfficeClient(served.url, token="x", ca=authority.file, sleep=no_time) as office,
            pytest.raises(Offline, match="for another address"),
        ):
            office.position()


@pytest.mark.slow
def test_an_application_pins_an_authority_too(town: Served, authority: Authority) -> None:
    token = application_token(town.folder, "records:read")
    with OfficeClient(town.url, token=token, ca=authority.file) as office:
        assert office.position()
    with (
        OfficeClient(town.url, token=token, sleep=no_time) as office,
        pytest.raises(Offline, match="--ca"),
    ):
        office.position()


def test_a_file_that_is_no_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    pair, none = authority.issue("leaf"), tmp_path / "none.pem"
    none.write_text("nothing")
    with device(tmp_path) as worker:
        for file, says in ((none, "PEM"), (tmp_path / "missing", "PEM"), (pair.certificate, "server's own")):
            with pytest.raises(Refused, match=says):
                worker.enrol("https://127.0.0.1:1", code="AAAA-AAAA", ca=file)


# --- clocks: docs/decisions/certificates-and-wrong-clocks.md -----------------------------------------------


@pytest.mark.parametrize(
    ("clock", "contact", "taken_for"),
    [
        (0, None, 100),  # reset before the first contact: the authority's beginning
        (500, None, 500),
        (500, (400, 400), 500),
        (0, (400, 400), 400),  # reset since: never before the last contact
        (900, (400, 800), 500),  # always ahead
        (300, (400, 200), 400),  # always behind, and bounded
        (500, (400, 0), 500),  # was reset at the last contact, set right since
        (9_999, (400, 400), 9_999),  # jumped ahead since: nobody can tell
    ],
)
def test_which_time_the_end_of_a_certificate_is_read_by(
    clock: int, contact: tuple[int, int] | None, taken_for: int
) -> None:
    assert township_time_ms(clock, contact, 100) == taken_for


@pytest.mark.slow
def test_a_phone_whose_clock_says_1970_enrols_and_syncs(
    town: Served, authority: Authority, tmp_path: Path
) -> None:
    with device(tmp_path, now_ms=86_400_000) as worker:
        worker.enrol(town.url, code=code(town), ca=authority.file)
        worker.create("matter", grid=GRID, nature="dispute", title="水渠堵塞")
        assert worker.sync().sent == 1
    with device(tmp_path, to_sync=True) as set_right:
        assert set_right.sync().complete
        assert "水渠堵塞" in {record.fields["title"] for record in set_right.list()}


@pytest.mark.slow
def test_a_phone_whose_clock_has_jumped_ahead_is_told_so(
    town: Served, authority: Authority, tmp_path: Path
) -> None:
    with device(tmp_path) as worker:
        worker.enrol(town.url, code=code(town), ca=authority.file)
    with (
        device(tmp_path, now_ms=NOW_MS + 3_000 * DAY_MS, to_sync=True) as jumped,
        pytest.raises(Offline, match=r"日期.*clock is wrong"),  # it may be: nobody can tell yet
    ):
        jumped.sync()
    with device(tmp_path, to_sync=True) as put_right:
        assert put_right.sync().complete
        assert len(put_right.grids()) == 1


@pytest.mark.slow
def test_a_certificate_that_expired_before_the_last_contact_is_refused_by_any_clock(
    town: Served, authority: Authority, tmp_path: Path
) -> None:
    with device(tmp_path) as worker:
        worker.enrol(town.url, code=code(town), ca=authority.file)
        worker.create("matter", grid=GRID, nature="dispute", title="水渠堵塞")
    old = authority.issue("old", begins=timedelta(days=-40), ends=timedelta(days=-1))
    with encrypted(tmp_path / "data", old) as served:
        for now_ms in (0, NOW_MS - 20 * DAY_MS, NOW_MS):
            with device(tmp_path, now_ms=now_ms) as turned_back:
                turned_back.set_server(served.url)
                with pytest.raises(Offline, match="expired"):
                    turned_back.sync()
                assert len(turned_back.queue()) == 1

        async def under_asyncio() -> None:
            async with AsyncFieldClient.open(
                tmp_path / "worker.rbk", passphrase=PASSPHRASE, sleep=no_time_either
            ) as worker:
                await worker.sync()

        with pytest.raises(Offline, match="expired"):
            asyncio.run(under_asyncio())


@pytest.mark.slow
def test_without_a_pinned_authority_a_date_that_does_not_fit_is_said_to_be_the_clocks(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own authorities: here the test's, by the variable that OpenSSL reads."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    early = authority.issue("early", begins=timedelta(days=5))
    with (
        encrypted(tmp_path / "data", early) as served,
        device(tmp_path) as worker,
        pytest.raises(Offline, match=r"日期调对.*clock is probably wrong"),
    ):
        worker.enrol(served.url, code="AAAA-AAAA")
