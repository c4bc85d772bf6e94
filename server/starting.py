"""How a process of the server starts: `roundbook` itself, and each process that serves.

What is loaded stays for as long as the process lives. Looking for garbage among it took a quarter of the start, so
nobody looks before it is there. The processes that serve load nothing of the commands.
"""

import gc
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from litestar.types import ASGIApp

TARGET: Final = "server.starting:application"


def main() -> None:
    """Runs the command line of this process."""
    _loaded("server.cli").main()


def application() -> "ASGIApp":
    """What a process that serves shows to the network."""
    serving: Any = _loaded("server.serving")
    app: ASGIApp = serving.application()
    return app


def _loaded(name: str) -> ModuleType:
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
