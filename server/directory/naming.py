"""What people call a place, for pages that would otherwise show its code."""

from functools import partial

from server.services import Services
from server.storage import directory
from server.storage.engine import snapshot


async def place_name(services: Services, township: str, code: str) -> str:
    """The name of a grid, a village or the township; the code where nobody knows it any more."""
    work = partial(directory.place_names, township=township, codes=[code])
    return (await snapshot(services.engine, work)).get(code, code)
