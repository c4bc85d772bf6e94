"""What lies encrypted on the server: keys, sealing, and the few functions that others use for their secrets.

    master.py    the master key, from outside the database: it wraps keys, and nothing else
    township.py  the keys of one township: sealing, opening, keyed hashes
    keeping.py   the keys that one process has unwrapped, read from the database when they are first needed
    keyfile.py   where the master key comes from: the environment, a file, or a file made at the first start
    service.py   keys made, listed, rotated; a wrong master key recognised

docs/keys.md explains them to whoever runs a server.
"""
