"""The office of these tests itself."""

import socket
from urllib.parse import urlsplit

from tests.browser.office import live_office


def test_nothing_is_left_of_browsers_that_hang_up(database_url: str) -> None:
    """Their requests end, and so do the connections to the database; pytest fails for one that nobody closed."""
    with live_office(database_url) as office:
        somebody = office.person("clerk", "王五")
        cookie = f"roundbook={next(iter(somebody.browser.cookies.jar)).value}"
        address = urlsplit(office.url)
        asked = f"GET /office/ledger HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {cookie}\r\n\r\n".encode()
        for _ in range(40):
            with socket.create_connection((address.hostname, address.port)) as browser:
                browser.sendall(asked)
