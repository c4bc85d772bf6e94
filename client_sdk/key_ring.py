"""A store's passphrase in the platform's key ring, so that whoever has signed in to the platform need not type it.

The ring is that of Windows, macOS, or a desktop with the Secret Service, through the library `keyring`, which comes
with `pip install roundbook[keyring]`. It keeps the passphrase, not the store's key: an ended lease, a wipe and a
passphrase that was changed elsewhere close the store as ever. Each store has an entry of its own, by its path.
"""

from pathlib import Path
from typing import Any, Final

from sync_protocol.errors import NotFound

try:
    import keyring
    from keyring.errors import KeyringError as RingError
except ImportError:  # it comes with an extra
    ring: Any = None
    RingError = NotFound  # type: ignore[assignment,misc]  # nothing raises it then
else:
    ring = keyring

SERVICE: Final = "roundbook-device"


def remembered(path: Path) -> str | None:
    """The passphrase of the store at `path`; None where the ring has none, is locked, or there is no ring."""
    try:
        found: str | None = ring.get_password(SERVICE, _entry(path)) if ring is not None else None
    except RingError:
        return None
    return found


def remember(path: Path, passphrase: str) -> None:
    """Puts the passphrase of the store at `path` into the ring. Raises NotFound where there is none to use."""
    if ring is None:
        raise _none()
    try:
        ring.set_password(SERVICE, _entry(path), passphrase)
    except RingError as error:
        raise _none() from error


def forget(path: Path) -> None:
    """Takes it out again; nothing happens where it is not there."""
    if remembered(path) is not None:
        ring.delete_password(SERVICE, _entry(path))


def _entry(path: Path) -> str:
    return str(path.resolve())


def _none() -> NotFound:
    return NotFound(
        "这里没有可用的系统钥匙串：请安装 roundbook[keyring] 并登录桌面，或每次输入口令 / there is no key ring to use "
        "here: install roundbook[keyring] and sign in to the desktop, or type the passphrase each time"
    )
