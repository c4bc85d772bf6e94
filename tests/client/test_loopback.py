"""The in-process transports drive any ASGI application, lifespan included."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from client_sdk.loopback import AsyncLoopbackTransport, LoopbackTransport
from client_sdk.transport import LinkBroken

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class App:
    """Answers with what it was asked, and notes its lifespan."""

    def __init__(self, *, fails: bool = False) -> None:
        self.lifespan: list[str] = []
        self.fails = fails

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for said in ("startup", "shutdown"):
                await receive()
                self.lifespan.append(said)
                await send({"type": f"lifespan.{said}.{'failed' if self.fails else 'complete'}"})
            return
        body = (await receive())["body"]
        if body == b"fail":
            message = "inside"
            raise RuntimeError(message)
        headers = [(b"X-Path", scope["path"].encode())]
        await send({"type": "http.response.start", "status": 207, "headers": headers})
        await send({"type": "http.response.body", "body": body + b"!"})


def test_the_blocking_loopback() -> None:
    app = App()
    with LoopbackTransport(app) as transport:
        assert app.lifespan == ["startup"]
        response = transport.exchange("POST", "/v1/x", {"a": "b"}, b"hello")
        assert (response.status, response.body, response.headers["x-path"]) == (207, b"hello!", "/v1/x")
    assert app.lifespan == ["startup", "shutdown"]
    with pytest.raises(LinkBroken):
        transport.exchange("POST", "/", {}, b"")


async def test_the_asynchronous_loopback() -> None:
    app = App()
    async with AsyncLoopbackTransport(app) as transport:
        response = await transport.exchange("POST", "/v1/x", {}, b"hello")
        assert response.body == b"hello!"
    assert app.lifespan == ["startup", "shutdown"]


def test_an_application_that_cannot_start_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"lifespan\.startup"), LoopbackTransport(App(fails=True)):
        pass


def test_an_error_of_the_application_comes_out() -> None:
    with LoopbackTransport(App()) as transport, pytest.raises(RuntimeError, match="inside"):
        transport.exchange("POST", "/", {}, b"fail")
