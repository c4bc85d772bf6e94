"""Named mutations of the code, each with the tests that must fail under it: `python -m tests.mutants`."""
