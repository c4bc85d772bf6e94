"""The decisions of Roundbook: messages, kinds, merging, cursors, the client's session.

Pure: the standard library and msgspec; no I/O, no clock, no randomness, no logging. What happens in the
world is an argument, what should happen is a result.
"""
