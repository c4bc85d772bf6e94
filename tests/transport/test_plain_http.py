"""Who may speak plain HTTP, and whose word is taken for where a request comes from."""

import http.client
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.addresses import is_loopback, require_private, trusted
from server.certificates import look_at_certificate, require_pair
from server.refused import RefusedError
from server.settings import environment, read
from server.transport import guarded
from sync_protocol.versions import CURRENT
from tests.certificates import TODAY, Authority, write_key
from tests.processes import Served, run, serving

NOW_MS = int(TODAY.timestamp()) * 1000
ENROL = "/v1/devices/enrol"
WRONG = json.dumps(
    {"protocol": CURRENT, "code": "ZZZZ-ZZZZ", "public_key": "A" * 43, "client": "test"}
).encode()


# --- starting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "roundbook.example"])  # noqa: S104
def test_a_server_that_others_reach_does_not_start_without_tls(host: str) -> None:
    with pytest.raises(
        RefusedError, match=r"--certificate and --certificate-key, or .*ROUNDBOOK_PLAIN_HTTP=1"
    ):
        require_private(read({}, host=host))
    require_private(read({"ROUNDBOOK_PLAIN_HTTP": "1"}, host=host))
    require_private(read({}, host=host, proxies="192.0.2.1"))
    require_private(read({}, host=host, certificate="a.pem", certificate_key="a.key"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"])
def test_a_server_for_this_machine_alone_starts_as_it_is(host: str) -> None:
    assert is_loopback(host)
    require_private(read({}, host=host))


def test_the_command_says_so_in_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    refused = run(folder, "serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("Plain HTTP on 0.0.0.0 would show every record to the network: name ")
    assert not folder.exists()


@pytest.mark.parametrize("proxies", ["*", "10.0.0.7,*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.0/7/8"])
def test_proxies_are_named_by_address(proxies: str) -> None:
    with pytest.raises(RefusedError, match="ROUNDBOOK_PROXIES takes addresses or networks"):
        read({"ROUNDBOOK_PROXIES": proxies})


def test_a_certificate_has_a_key() -> None:
    with pytest.raises(RefusedError, match="name both"):
        read({"ROUNDBOOK_CERTIFICATE": "a.pem"})


def test_a_worker_process_gets_the_same_transport(tmp_path: Path) -> None:
    settings = read({"ROUNDBOOK_PLAIN_HTTP": "1"}, certificate="a.pem", certificate_key="~/a.key",
                    proxies="10.0.0.7, 10.1.0.0/24", data=str(tmp_path))  # fmt: skip
    assert settings.plain_http
    assert Path(settings.certificate).is_absolute()
    assert read(environment(settings)) == settings


# --- certificates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "ends", "state", "says"),
    [
        (-10, 90, "well", "valid until"),
        (-10, 31, "well", "valid until"),
        (-10, 29, "note", "expires in 29 days"),
        (-10, 1.5, "note", "expires in 1 day,"),
        (-10, -1, "bad", "has expired on"),
        (1, 90, "bad", "is not valid before"),
    ],
)
def test_doctor_says_when_a_certificate_ends(
    tmp_path: Path, begins: float, ends: float, state: str, says: str
) -> None:
    pair = Authority(tmp_path).issue(begins=timedelta(days=begins), ends=timedelta(days=ends))
    settings = read({}, certificate=str(pair.certificate), certificate_key=str(pair.key))
    (check,) = look_at_certificate(settings, NOW_MS)
    assert (check.name, check.state) == ("certificate", state)
    assert says in check.says
    assert bool(check.do) == (state != "well")


def test_doctor_sees_what_cannot_be_served_with(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, other, sealed = authority.issue(), authority.issue("other"), tmp_path / "sealed.pem"
    write_key(sealed, authority.key, b"secret")
    none = tmp_path / "none.pem"
    none.write_text("-----BEGIN NOTHING-----")
    for certificate, key, says in (
        (pair.certificate, other.key, "is not the key of"),
        (pair.certificate, sealed, "is encrypted"),
        (pair.certificate, none, "holds no private key"),
        (none, pair.key, "holds no certificate"),
        (tmp_path / "missing.pem", pair.key, "cannot be read"),
    ):
        settings = read({}, certificate=str(certificate), certificate_key=str(key))
        (check,) = look_at_certificate(settings, NOW_MS)
        assert (check.state, says in check.says, bool(check.do)) == ("bad", True, True), check
        with pytest.raises(RefusedError, match=says):
            require_pair(settings)
    pair.key.chmod(0o644)
    settings = read({}, certificate=str(pair.certificate), certificate_key=str(pair.key))
    assert [check.state for check in look_at_certificate(settings, NOW_MS)] == ["well", "note"]
    assert look_at_certificate(read({}), NOW_MS) == []


@pytest.mark.slow
def test_the_commands_look_at_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, other = authority.issue(), authority.issue("other", ends=timedelta(days=20))
    variables = {"ROUNDBOOK_CERTIFICATE": str(pair.certificate), "ROUNDBOOK_CERTIFICATE_KEY": str(other.key)}
    refused = run(tmp_path / "data", "serve", "--port", "0", **variables)
    assert (refused.returncode, "is not the key of" in refused.stderr) == (1, True)
    looked = run(tmp_path / "data", "doctor", "--json", **variables)
    assert looked.returncode == 1
    variables["ROUNDBOOK_CERTIFICATE"] = str(other.certificate)
    looked = run(tmp_path / "data", "doctor", "--json", **variables)
    assert looked.returncode == 0, looked.stderr
    (check,) = [one for one in json.loads(looked.stdout)["checks"] if one["name"] == "certificate"]
    assert (check["state"], check["says"][:15]) == ("note", "expires in 19 d")


# --- requests, over sockets -------------------------------------------------------------------------------


def ask(served: Served, path: str, source: str, body: bytes = b"", **headers: Any) -> tuple[int, str]:
    """Status and problem code of one request from an address of this machine."""
    link = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10, source_address=(source, 0))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    link.request("POST" if body else "GET", path, body or None, named)
    answer = link.getresponse()
    content = answer.read()
    link.close()
    problem = "problem" in (answer.getheader("content-type") or "")
    return answer.status, json.loads(content)["code"] if problem else ""


PROXY, STRANGER = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that trusts one proxy, and lets an address be wrong twice a minute."""
    folder = tmp_path_factory.mktemp("behind") / "data"
    with serving(folder, "--proxies", PROXY, ROUNDBOOK_FAILURES_PER_ADDRESS="2") as served:
        yield served


@pytest.mark.slow
def test_a_forged_forwarded_header_changes_nothing(behind: Served) -> None:
    """A guesser who names another address each time is still one address."""
    answers = [
        ask(behind, ENROL, STRANGER, WRONG, x_forwarded_for=f"198.51.100.{n}", x_forwarded_proto="https")
        for n in range(3)
    ]
    assert answers == [(403, "code_invalid")] * 2 + [(429, "too_many_requests")]
    # And whoever it named is not kept out.
    told = {"x_forwarded_for": "198.51.100.0", "x_forwarded_proto": "https"}
    assert ask(behind, ENROL, PROXY, WRONG, **told) == (403, "code_invalid")


@pytest.mark.slow
def test_the_proxy_is_believed_and_what_its_caller_forged_is_not(behind: Served) -> None:
    """The proxy appends the address that it saw; what stands before it is its caller's word."""
    for n, expected in enumerate([403, 403, 429]):
        told = {"x_forwarded_for": f"203.0.113.{n}, 198.51.100.77", "x_forwarded_proto": "https"}
        assert ask(behind, ENROL, PROXY, WRONG, **told)[0] == expected
    told = {"x_forwarded_for": "198.51.100.78", "x_forwarded_proto": "https"}
    assert ask(behind, ENROL, PROXY, WRONG, **told)[0] == 403


@pytest.mark.slow
def test_behind_a_proxy_plain_http_is_refused_to_others(behind: Served) -> None:
    plain: dict[str, Any] = {"x_forwarded_for": "198.51.100.9", "x_forwarded_proto": "http"}
    assert ask(behind, "/v1/records", PROXY, **plain) == (403, "https_required")
    assert ask(behind, ENROL, PROXY, WRONG, **plain) == (403, "https_required")
    encrypted = {**plain, "x_forwarded_proto": "https"}
    assert ask(behind, "/v1/records", PROXY, **encrypted) == (401, "unauthorised")
    assert ask(behind, "/v1/health/live", PROXY) == (200, "")
    assert ask(behind, "/v1/records", STRANGER) == (401, "unauthorised")  # of this machine


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with who it takes its caller for."""
    del receive
    said = f"{scope['client'][0]} {scope['scheme']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


@pytest.mark.parametrize(
    ("peer", "proxies", "status"),
    [
        ("192.0.2.9", "192.0.2.1", 403),  # around the proxy, with its header forged
        ("192.0.2.1", "192.0.2.1", 200),
        ("::ffff:192.0.2.1", "192.0.2.1", 200),  # as a socket for both families writes it
        ("192.0.2.200", "192.0.2.0/24", 200),
        ("::ffff:192.0.2.200", "192.0.2.0/24", 200),
        ("::ffff:192.0.3.1", "192.0.2.0/24", 403),
        ("2001:db8::1", "10.0.0.1, 2001:db8::/64", 200),
    ],
)
async def test_only_a_named_peer_is_a_proxy(peer: str, proxies: str, status: int) -> None:
    served = guarded(application, read({}, proxies=proxies))
    headers = [(b"x-forwarded-for", b"198.51.100.7"), (b"x-forwarded-proto", b"https")]
    sent = await _call(served, peer, headers)
    assert sent[0]["status"] == status
    if status == 200:
        assert sent[1]["body"] == b"198.51.100.7 https"


async def test_without_proxies_nobody_is_one() -> None:
    headers = [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-proto", b"https")]
    sent = await _call(guarded(application, read({})), "192.0.2.9", headers)
    assert sent[0]["status"] == 403
    opened = guarded(application, read({"ROUNDBOOK_PLAIN_HTTP": "1"}))
    assert (await _call(opened, "192.0.2.9", headers))[1]["body"] == b"192.0.2.9 http"


def test_trusted_names_both_writings() -> None:
    assert trusted("10.0.0.7,10.1.0.0/24") == [
        "10.0.0.7/32",
        "::ffff:10.0.0.7/128",
        "10.1.0.0/24",
        "::ffff:10.1.0.0/120",
    ]


async def _call(app: Any, peer: str, headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "scheme": "http", "path": "/", "client": (peer, 1), "headers": headers}
    await app(scope, None, send)
    return sent
