"""Chinese on SQLite and English on PostgreSQL: both of each without four runs."""

import pytest

from server.saying import Language
from tests.browser.office import LiveOffice
from tests.browser.tasks.furnishing import Town, furnish


@pytest.fixture(scope="module")
def language(module_database_url: str) -> Language:
    return "zh" if module_database_url.startswith("sqlite") else "en"


@pytest.fixture(scope="module")
def town(office: LiveOffice) -> Town:
    """An office in the middle of its work; it is filled once for a module."""
    return office.run(furnish, office)
