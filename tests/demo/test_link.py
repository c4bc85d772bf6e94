"""A slow link passes what it is given, and breaks after the bytes that were drawn."""

import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from client_sdk import HttpTransport, LinkBroken
from demo.link import ROUND_TRIP_S, Link
from demo.plan import Cut
from demo.turns import Turns

BODY = b"0123456789" * 20


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what came, and remembers whole bodies."""

    whole: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if len(body) == len(BODY):
            self.whole.append(body)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def link() -> Iterator[Link]:
    Echo.whole = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Link("01", ("127.0.0.1", server.server_address[1]), Turns(lambda: None)) as made:
            yield made
        server.shutdown()


def post(link: Link) -> bytes:
    transport = HttpTransport(link.url)
    try:
        return transport.exchange("POST", "/", {}, BODY).body
    finally:
        transport.close()


def test_it_passes_what_it_is_given_and_takes_its_time(link: Link) -> None:
    began = time.monotonic()
    assert post(link) == BODY
    assert time.monotonic() - began > ROUND_TRIP_S
    assert link.cuts_done == 0


def test_a_cut_on_the_way_up_leaves_the_server_with_a_part(link: Link) -> None:
    called: list[int] = []
    link.arm([Cut("up", 50)], lambda: called.append(1))
    with pytest.raises(LinkBroken):
        post(link)
    assert (link.cuts_done, called, Echo.whole) == (1, [1], [])
    assert post(link) == BODY


def test_a_cut_on_the_way_down_comes_after_the_server_has_answered(link: Link) -> None:
    link.arm([Cut("down", 50)])
    with pytest.raises(LinkBroken) as broken:
        post(link)
    assert broken.value.bytes_down == 50
    assert Echo.whole == [BODY]


def test_an_answer_may_be_lost_as_a_whole(link: Link) -> None:
    link.arm([Cut("down", None)])
    with pytest.raises(LinkBroken) as broken:
        post(link)
    assert (broken.value.bytes_down, Echo.whole) == (0, [BODY])


def test_a_short_body_is_cut_before_its_end(link: Link) -> None:
    link.arm([Cut("up", 5_000), Cut("down", 5_000)])
    with pytest.raises(LinkBroken):
        post(link)
    with pytest.raises(LinkBroken) as broken:
        post(link)
    assert broken.value.bytes_down == len(BODY) - 1
