"""The text of the QR code that enrols a device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.invitation import CHARS_MAX, Invitation, NoInvitation, read

URL = "https://roundbook.example:8443"
WHOLE = Invitation(URL, "ABCD-EFGH", bytes(range(32)))


@given(st.binary(min_size=32, max_size=32) | st.none(), st.sampled_from(["http://10.0.0.7:8000", URL]))
def test_what_is_written_is_read_again(authority: bytes | None, url: str) -> None:
    written = Invitation(url, "ABCD-EFGH", authority)
    assert read(written.text) == written


def test_its_form_is_the_documented_one() -> None:
    digest = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert WHOLE.text == f"ROUNDBOOK1 {URL} ABCD-EFGH sha256:{digest}"
    assert read(f"\n roundbook1  {URL}\tABCD-EFGH sha256:{digest} later:word\r\n") == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ABCD-EFGH",
        URL,
        "ROUNDBOOK1",
        f"ROUNDBOOK1 {URL}",
        f"ROUNDBOOK2 {URL} ABCD-EFGH",
        "ROUNDBOOK1 roundbook.example ABCD-EFGH",
        "ROUNDBOOK1 ftp://roundbook.example ABCD-EFGH",
        "ROUNDBOOK1 https:// ABCD-EFGH",
        f"ROUNDBOOK1 {URL}?code=1 ABCD-EFGH",
        f"ROUNDBOOK1 {URL}#ABCD ABCD-EFGH",
        "ROUNDBOOK1 https://name:word@roundbook.example ABCD-EFGH",
        f"ROUNDBOOK1 {URL} ABCD-EFGH sha256:AAAA",
        f"ROUNDBOOK1 {URL} ABCD-EFGH sha256:é",
        f"ROUNDBOOK1 {URL} ABCD-EFGH {'x' * CHARS_MAX}",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(NoInvitation):
        read(text)
