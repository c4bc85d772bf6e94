"""Every mutation: where, what instead of what, which tests must fail, and which promise that shows to be tested.

G1 to G8 are the guarantees of the README, numbers the rows of the collected failures of others. The old text
must stand exactly once in its file: whoever changes that line has to look at its mutation again.
"""

from typing import Final

from tests.mutants.around import AROUND
from tests.mutants.exchange import EXCHANGE
from tests.mutants.restores import RESTORES

MUTANTS: Final = (*EXCHANGE, *RESTORES, *AROUND)
