"""What a worker process starts: the application, with the settings that its parent left in the environment."""

import gc
import os
from typing import Final

from litestar import Litestar

from server.app import create_app
from server.settings import read

_YOUNG_OBJECTS: Final = 50_000
"""A push makes some twenty objects a change and keeps none: looking for cycles after every 700 cost an eighth."""


def application() -> Litestar:
    """The application of this process."""
    app = create_app(read(os.environ))
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    return app
