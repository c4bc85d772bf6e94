"""A village round in one process tree: a real server, twenty-four devices, two days of offline work.

    plan.py       from a seed: who works where, with which clock, over which link (pure)
    texts.py      names, narratives
    clocks.py     the simulated days, the devices' clocks, the server's
    folder.py     the folder of one demo
    serving.py    the server's process, under the simulated clock
    place.py      villages, township, workers, codes, tokens
    before.py     the office's old ledger, the defaults of its villages
    turns.py      the order in which devices reach the server
    link.py       a slow link that breaks, over real sockets
    device.py     one device: its store, its syncs, what it saved
    dying.py      the process of a device that is killed
    work.py       what a worker does in a day
    tickets.py    matters that two workers and the office edit
    people.py     who works in the offices, each with a browser
    office.py     the office's part, over HTTP
    craft.py      changes below the checks of the SDK
    story.py      the days, in order
    account.py    whether every change is where it should be
    exports.py    whether devices hold what the server holds, by code of its own
    day.py        the office's own day after it
    inbox.py      what the office sees: a difference, a history
    result.py     what came out, as plain values
    show.py       the same for people
    progress.py   how far it is
    further.py    how to look further
    cli.py        roundbook demo

What is simulated: the clocks, which township the workers are in, and the badness of the links. What is not:
the stores, the sockets, the server's process, the process that is killed.
"""
