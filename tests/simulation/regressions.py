"""Simulations that failed once, with no more events than it took. Each found a mistake, and is run for ever."""

from typing import Final

from tests.simulation.rounds import Habits
from tests.simulation.run import Event, Plan

_THEN: Final = Habits((4, 3, 3, 3, 2, 2, 2, 3, 2, 4, 0.3, 0, 0), (2, 1, 1, 1, 1), second_thoughts=0)
"""Before workers had remarks, removed entries and thought things over."""
PLANS: Final = {
    "an own create comes back under a restart": Plan(
        seed=1640,
        devices=3,
        processes=1,
        chance=0.5,
        habits=_THEN,
        events=(
            Event(at_s=7920.901532002082, what="save", device=0, seed=104222778713357),
            Event(at_s=9966.953776859393, what="backup", device=2, seed=42803021177756),
            Event(at_s=16085.999595993375, what="save", device=0, seed=60659852102529),
            Event(at_s=27010.87872179317, what="sync", device=0, seed=10661643695628),
            Event(at_s=30641.031385138343, what="restore", device=1, seed=129768007845281),
            Event(at_s=36042.95242084757, what="server's disk is full", device=0, seed=235703596248508),
            Event(at_s=36160.18733831343, what="sync", device=0, seed=75039854519616),
        ),
    ),
    "a number that a restore took back": Plan(
        seed=1016,
        devices=4,
        processes=1,
        chance=0.3,
        habits=_THEN,
        events=(
            Event(at_s=359.661627736347, what="save", device=1, seed=251319781205270),
            Event(at_s=387.9726418728274, what="save", device=0, seed=159435201832556),
            Event(at_s=751.457240753215, what="sync", device=1, seed=263164535298821),
            Event(at_s=1049.3835157538874, what="power cut in a commit", device=1, seed=246901468700367),
            Event(at_s=1978.720127995681, what="save", device=1, seed=83984107472462),
            Event(at_s=3352.733054574126, what="backup", device=0, seed=161342825697509),
            Event(at_s=4431.8778430034245, what="sync", device=0, seed=105972767969119),
            Event(at_s=4523.013558059918, what="sync", device=1, seed=146426216746237),
            Event(at_s=8713.942822853693, what="two syncs at once", device=1, seed=180325219513693),
            Event(at_s=9415.241986438754, what="save", device=1, seed=244904029172123),
            Event(at_s=11475.485712237769, what="sync", device=1, seed=21815593388489),
            Event(at_s=17431.083889837966, what="restore", device=1, seed=253820049870458),
        ),
    ),
}
