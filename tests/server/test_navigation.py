"""Which section a page belongs to."""

import pytest

from server.console.navigation import current, sections


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("/office", "/office"),
        ("/office/inbox/reported", "/office"),
        ("/office/duplicates/a/b", "/office/duplicates"),
        ("/office/matters/a/steps/return", "/office/ledger"),
        ("/office/affairs/a", "/office/ledger"),
    ],
)
def test_a_page_belongs_to_the_section_in_which_it_is_found(path: str, section: str) -> None:
    found = current(path, sections("clerk"))
    assert found is not None
    assert found.path == section
