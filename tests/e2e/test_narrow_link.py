"""A first download and an upload over a link as villages have it, against a server process."""

from collections import Counter
from contextlib import suppress
from random import Random
from typing import Final

import pytest

from client_sdk import HttpTransport, Offline, Policy
from tests.e2e.links import Link
from tests.e2e.narrow import LOST_ONE_OF, narrow_link
from tests.e2e.processes import serving
from tests.e2e.village import GRID, Village, assert_converged, holds

RECORDS: Final = 120
CHANGES: Final = 20
CUT_BYTES: Final = 16_000
SYNCS_MAX: Final = 40
PATIENT: Final = Policy(page_bytes_max=16_384, batch_bytes_max=8_192)


@pytest.mark.slow
def test_row_16_at_50_kbit_with_losses_and_cuts_nothing_starts_from_zero(village: Village) -> None:
    """1 s of latency, 5 % loss, cut at random bytes: every page that arrived whole is kept, and none comes again."""
    random = Random(16)  # of the texts, too: compression takes half of them, not nine tenths
    writer = village.device("李强")
    for n in range(RECORDS):
        writer.create("well", title=f"{n}", note=random.randbytes(100).hex())
    writer.sync()
    device = village.device("王芳")
    mine = {
        device.create("well", title=f"own {n}", note=random.randbytes(50).hex()).id for n in range(CHANGES)
    }
    device.close()
    held: list[int] = []
    with serving(village.url, village.folder) as (url, _), narrow_link(url, random, CUT_BYTES) as narrow:
        link = Link(HttpTransport(narrow.url))
        device = village.open("王芳", transport=link)

        def look(body: bytes) -> bytes:
            held.append(len(holds(device)))
            return body

        link.up = look
        for _ in range(SYNCS_MAX):
            with suppress(Offline):
                if device.sync(policy=PATIENT).complete:
                    break
        link.close()
    assert device.queue() == []
    assert held == sorted(held)
    assert len(set(held)) > 2
    pages = [[record.id for record in answer.page.records] for answer in link.answers if answer.page]
    brought = Counter(record for page in pages for record in page)
    assert len([page for page in pages if page]) > 2
    assert set(brought.values()) == {1}
    assert len(brought.keys() - mine) == RECORDS
    assert len(village.changes()) == RECORDS + CHANGES
    assert_converged(village, device, GRID)
    assert narrow.cuts > 3
    assert narrow.packets > 3 * LOST_ONE_OF
