"""What a device keeps: one encrypted SQLite file, and three small files beside it.

    worker.rbk          records, queue, problems, news; every page encrypted (SQLCipher)
    worker.rbk.key      the random key of that file, wrapped by the passphrase (keyfile.py)
    worker.rbk.epoch    which copy of the store this is, and how far its counter has gone (epoch.py)
    worker.rbk.lock     locked while a sync runs (lock.py)

Modules know SQL and nothing of HTTP. Functions take an open transaction (`Tx`), so that several of them
make one durable step; only store.py begins and ends transactions.
"""
