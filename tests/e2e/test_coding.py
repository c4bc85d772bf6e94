"""The protocol's own content coding: small both ways, and never in anybody's way."""

import hashlib
import time
from random import Random

import msgspec
import pytest
import zstandard

from client_sdk import LinkBroken, Offline, Policy, Response
from client_sdk.compression import Undecodable, packed, unpacked
from sync_protocol.dictionary import CODING, of_requests
from sync_protocol.limits import DEFAULTS
from tests.e2e.links import Link, lost
from tests.e2e.raw import PLAIN, SYNC, RawDevice, refused, sound
from tests.e2e.village import Village, settled

UNKNOWN = {"type": "about:blank", "title": "", "status": 415, "code": "unsupported_media"}


def test_a_device_speaks_it_and_an_answer_needs_its_request(village: Village) -> None:
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    device.create("well", title="村东头的老井")
    assert device.sync().complete
    for body, request, response in zip(link.sent, link.requests, link.got, strict=True):
        asked = unpacked(body, CODING, 2**20)
        assert msgspec.json.decode(asked)["nonce"] == request.nonce
        assert response.headers["content-encoding"] == CODING
        assert "vary" not in response.headers, "what was asked for makes the answer, not what is accepted"
        assert "content-security-policy" not in response.headers, "no browser reads it"
        told = unpacked(response.body, CODING, 2**20, asked)
        assert msgspec.json.decode(told)["nonce"] == request.nonce
        assert response.body[:8] == hashlib.sha256(asked).digest()[:8]
        assert len(response.body) < len(zstandard.compress(told, level=19)) - 200
        assert _unread(response.body, asked[::-1])


def test_a_server_that_does_not_know_it_is_asked_in_zstd(village: Village) -> None:
    """An older one, or a firewall that reads what passes: one exchange more, and nothing is lost or taken twice."""
    codings: list[str] = []

    class Older:
        def exchange(
            self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 300.0
        ) -> Response:
            if path == SYNC:
                codings.append(headers.get("content-encoding", ""))
                if codings[-1] == CODING:
                    problem = {"content-type": "application/problem+json"}
                    return Response(415, problem, msgspec.json.encode(UNKNOWN))
            return village.link.exchange(method, path, headers, body, timeout_s)

        def close(self) -> None:
            """Nothing is kept open."""

    device = village.device("王芳", transport=Older())
    device.create("well", title="井", note="水位下降。" * 40)
    report = device.sync()
    assert report.complete
    assert (report.sent, len(village.changes())) == (1, 1)
    assert codings == [CODING, *["zstd"] * (len(codings) - 1)]


class Narrow:
    """A link that brings 20,000 bytes a second, or as many as there are; keeps what was asked for and what came."""

    def __init__(self, village: Village, *, narrow: bool) -> None:
        self.village, self.narrow = village, narrow
        self.sparing: list[bool] = []
        self.sizes: list[int] = []

    def exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes, timeout_s: float = 300.0
    ) -> Response:
        response = self.village.link.exchange(method, path, headers, body, timeout_s)
        if path == SYNC:
            self.sparing.append(headers.get("save-data") == "on")
            self.sizes.append(len(response.body))
            time.sleep(len(response.body) / 20_000 if self.narrow else 0)
        return response

    def close(self) -> None:
        """Nothing is kept open."""


def test_pages_over_a_narrow_link_are_packed_harder_from_the_second_on(village: Village) -> None:
    words, writer = Random(7), village.device("王芳")
    for n in range(60):
        note = "".join(words.choices("田埂渠水院墙地界路灯邻居树木屋檐坟地借款工资牲畜", k=300))
        writer.create("well", title=f"井{n}", note=note)
    assert writer.sync().complete
    links = [Narrow(village, narrow=narrow) for narrow in (False, True)]
    for name, link in zip(("李强", "赵敏"), links, strict=True):
        reader = village.device(name, transport=link)
        assert reader.sync(policy=Policy(page_bytes_max=20_000)).complete
        assert len(reader.list()) == 60
    wide, narrow = links
    assert len(narrow.sizes) == len(wide.sizes) > 3
    assert not any(wide.sparing)
    assert narrow.sparing == [False, *[True] * (len(narrow.sizes) - 1)]
    assert narrow.sizes[0] == pytest.approx(wide.sizes[0], rel=0.01)
    assert sum(narrow.sizes[1:-1]) < sum(wide.sizes[1:-1]) * 0.95


def test_the_answer_to_another_request_is_none(village: Village) -> None:
    """A proxy gives an old answer again. With the new request as its dictionary it would repeat the new nonce."""
    link = Link(village.link)
    device = village.device("王芳", transport=link)
    link.down = lost
    device.create("well", title="一")
    with pytest.raises(Offline):
        device.sync()
    old, waiting = link.got[0], device.queue()
    link.down = lambda _: old
    with pytest.raises(Offline, match="not_an_answer"):
        device.sync()
    assert device.queue() == waiting
    link.down = lambda response: response
    assert device.sync().complete
    settled(village, device)
    assert len(village.changes()) == 1


def test_it_is_bounded_as_every_other(village: Village) -> None:
    device = RawDevice(village, "王芳")
    before = village.rows()
    bomb, _ = packed(b" " * (DEFAULTS.plain_bytes_max + 1), CODING)
    assert len(bomb) < 100_000
    refused(device.send(bomb, content_encoding=CODING), 413, "too_large_request")
    whole, _ = packed(sound(device), CODING)
    for body in (b"", b"\xff" * 50, whole[:-9], zstandard.compress(sound(device), 3)[:-9]):
        refused(device.send(body, content_encoding=CODING), 400, "malformed")
    refused(device.send(whole, content_encoding="zstd"), 400, "malformed")
    assert village.rows() == before
    assert device.send(whole, content_encoding=CODING).status == 200


def test_it_is_not_compressed_again_for_who_accepts_more(village: Village) -> None:
    """Proxies name what they accept."""
    device = RawDevice(village, "王芳")
    made = [device.create(fields={"title": f"井{n}", "note": "水位下降。" * 20}) for n in range(30)]
    device.sync(*made)
    asked = device.body(page_bytes=2**20, cursor=None)
    body, _ = packed(asked, CODING)
    for accepted in ("zstd, gzip", "gzip", "identity", "br"):
        headers = {**device.headers(body), "accept-encoding": accepted, "content-encoding": CODING}
        answer = village.link.exchange("POST", SYNC, headers, body)
        assert answer.headers["content-encoding"] == CODING
        told = msgspec.json.decode(unpacked(answer.body, CODING, 2**20, asked))
        assert told["nonce"] == msgspec.json.decode(asked)["nonce"]


def test_a_refusal_comes_plain(village: Village) -> None:
    device = RawDevice(village, "王芳")
    body, _ = packed(b"{}", CODING)
    headers = {name: value for name, value in device.headers(body).items() if name not in PLAIN}
    answer = village.link.exchange("POST", SYNC, {**headers, "content-encoding": CODING}, body)
    assert "content-encoding" not in answer.headers
    refused(answer, 400, "malformed")


def test_what_is_compressed_so_can_be_read_with_any_zstd() -> None:
    body, _ = packed(b'{"protocol":"2026-11-21"}', CODING)
    known = zstandard.ZstdCompressionDict(of_requests())
    assert zstandard.ZstdDecompressor(dict_data=known).decompress(body, 100) == b'{"protocol":"2026-11-21"}'


def _unread(body: bytes, request: bytes) -> bool:
    """Whether an answer cannot be read as the answer to `request`."""
    try:
        told = unpacked(body, CODING, 2**20, request)
        msgspec.json.decode(told)
    except (Undecodable, msgspec.DecodeError, UnicodeDecodeError, LinkBroken):
        return True
    pytest.fail("the answer to one request was read with another")
