"""The process of a device that will be killed in the middle of its upload: it opens the store and syncs.

What it needs comes as JSON on standard input, so that no passphrase stands in a list of processes.
"""

import json
import random
import sys
from pathlib import Path

from client_sdk import FieldClient
from demo.clocks import DeviceClock


def main() -> None:
    """Syncs; whoever started it kills it before it ends."""
    told = json.load(sys.stdin)
    draw = random.Random(told["seed"])
    clock = DeviceClock(told["now_ms"], 0)
    with FieldClient.open(
        Path(told["store"]), passphrase=told["passphrase"], clock=clock, random=draw.randbytes
    ) as client:
        client.sync()


if __name__ == "__main__":
    main()
