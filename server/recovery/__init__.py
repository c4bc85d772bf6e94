"""The recovery key: with it a township opens the store of a device whose passphrase does not, or not any more.

service.py  the key of each township: made, listed, exported; the private half from the vault or a file
opening.py  a device's key file: the store's key out of it, or another passphrase into it
stored.py   what a device's store has not sent, read with its key
handing.py  that, taken in as if the device had synced
"""
