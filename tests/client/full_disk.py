"""Moves a store onto a file system of 1 MiB and fills it: run by test_store.py in a mount of its own."""

import ctypes
import json
import shutil
import sys
from pathlib import Path

from client_sdk import FieldClient, StoreFull


def main(store: str, passphrase: str, folder: str) -> None:
    small = Path(folder)
    small.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(small).encode(), b"tmpfs", 0, b"size=1m") != 0:
        print("cannot mount")  # noqa: T201 (its answer to the test) (read by the test)
        return
    try:
        print(json.dumps(fill(store, passphrase, small)))  # noqa: T201 (its answer to the test)
    finally:
        libc.umount(str(small).encode())


def fill(store: str, passphrase: str, small: Path) -> dict[str, object]:
    for suffix in ("", ".key", ".epoch"):
        shutil.copy(store + suffix, small)
    path = small / Path(store).name
    saved, error = 0, ""
    with FieldClient.open(path, passphrase=passphrase) as device:
        try:
            while saved < 10_000:
                device.create("matter", title="a", narrative="x" * 2_000)
                saved += 1
        except StoreFull as caught:
            error = type(caught).__name__
        queued = len(device.queue())
    with FieldClient.open(path, passphrase=passphrase) as device:
        again = len(device.list("matter"))
    return {"error": error, "saved": saved, "queued": queued, "again": again}


if __name__ == "__main__":
    main(*sys.argv[1:])
