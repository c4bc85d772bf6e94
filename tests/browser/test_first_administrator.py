"""The first administrator opens the printed link, sets password and second factor, signs in, sees who they are."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from pyotp import TOTP

from tests.browser.conftest import shot
from tests.processes import TOWN, open_town, printed_link, run, serving
from tests.server.people import PASSWORD

SAYS = {
    "zh": {
        "role": "管理员",
        "set": "密码已设置。",
        "again": "两次输入的密码不一样。",
        "other": "English",
    },
    "en": {
        "role": "administrator",
        "set": "The password is set.",
        "again": "The two passwords are not the same.",
        "other": "中文",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
def test_from_the_printed_link_to_the_way_out(tmp_path: Path, page: Page, language: str) -> None:
    says, folder = SAYS[language], tmp_path / "data"
    open_town(folder)
    with serving(folder) as server:
        page.goto(printed_link(server))
        if language == "en":
            page.get_by_role("button", name="English").click()
        assert page.url == f"{server.url}/welcome", "the secret is gone from the address"
        recovery = sets_password(page, says, language)
        page.click("#on")
        signs_in(page, says, language, recovery[0])  # the telephone's code of this half minute is used up
        page.reload()
        expect(page.locator(".who")).to_contain_text("管理员")
        page.click("#leave")
        expect(page.locator("#form")).to_be_visible()
        page.reload()
        expect(page.locator("#form")).to_be_visible()
    listed = json.loads(run(folder, "audit", "list", "--json", "--township", TOWN).stdout)
    ours = [entry["act"] for entry in listed if entry["act"] in {"link_used", "signed_in", "signed_out"}]
    assert ours == ["link_used", "signed_in", "signed_out"]


def sets_password(page: Page, says: dict[str, str], language: str) -> list[str]:
    """Fills the page of the link in, once wrongly; the recovery codes that it shows."""
    expect(page.locator("#who")).to_contain_text(TOWN)
    expect(page.locator("#who")).to_contain_text(says["role"])
    expect(page.locator("#qr")).to_have_js_property("complete", value=True)
    assert page.locator("#qr").evaluate("picture => picture.naturalWidth") > 20
    shot(page, f"welcome-{language}")
    secret = page.locator("#secret").inner_text().replace(" ", "")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD + "x")
    page.fill("#code", TOTP(secret).now())
    page.click("button.deed")
    expect(page.locator("#wrong")).to_contain_text(says["again"])
    page.fill("#again", PASSWORD)
    page.click("button.deed")
    expect(page.locator("#done")).to_be_visible()
    expect(page.locator("#said")).to_contain_text(says["set"])
    recovery = page.locator("#codes").inner_text().split()
    assert len(recovery) == 10
    shot(page, f"recovery-{language}")
    return recovery


def signs_in(page: Page, says: dict[str, str], language: str, code: str) -> None:
    """Signs in, first with a wrong password, and sees who it is."""
    expect(page.locator("#township")).to_have_value(TOWN)
    page.fill("#password", "wrong wrong wrong")
    page.click("#form button.deed")
    expect(page.locator("#wrong")).not_to_be_empty()
    shot(page, f"sign-in-{language}")
    page.fill("#password", PASSWORD)
    expect(page.locator("#form button.deed")).to_be_enabled()
    page.click("#form button.deed")
    expect(page.locator("#code")).to_be_visible()
    page.fill("#code", code)
    page.click("#form button.deed")
    page.wait_for_url("**/office")
    expect(page.locator(".who")).to_have_attribute("title", says["role"])
    expect(page.get_by_role("button", name=says["other"])).to_be_visible()
    shot(page, f"signed-in-{language}")


@pytest.mark.slow
def test_a_link_that_is_void_says_so_and_offers_nothing(tmp_path: Path, page: Page) -> None:
    folder = tmp_path / "data"
    open_town(folder)
    with serving(folder) as server:
        link = printed_link(server)
        assert parse_qs(urlsplit(link).query) == {}
        page.goto(link[:-1] + ("A" if link[-1] != "A" else "B"))
        expect(page.locator("#wrong")).not_to_be_empty()
        expect(page.locator("#form")).to_be_hidden()
        shot(page, "void-zh")
