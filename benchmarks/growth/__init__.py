"""How W1 and W5 grow with records and townships, and what idle devices cost in memory: `make bench-growth`."""
