"""The feed of changes: everything that happens to records, in order, for programs that follow."""
