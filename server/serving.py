"""What a worker process starts: the application, with the settings that its parent left in the environment."""

import os

from litestar import Litestar

from server.app import create_app
from server.settings import read


def application() -> Litestar:
    """The application of this process."""
    return create_app(read(os.environ))
