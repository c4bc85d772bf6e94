"""Other sync servers on the same works, where they are installed. `make bench-peers`."""
