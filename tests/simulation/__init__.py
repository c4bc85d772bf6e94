"""A whole township in one process, from one seed: devices, office and servers run their real code.

loop.py       an event loop whose clock stands still while anything runs
disk.py       databases that die between two statements, or lose the end of their log
network.py    a link that loses, delays, doubles, cuts and answers for others
world.py      servers, devices and the office, and what may happen to them
rounds.py     what people do: rounds with a few records that everybody edits
witness.py    a model of what each field may say, written without the merge
checker.py    the guarantees, looked for in what is stored
run.py        one seed, from the first save to the last check
"""
