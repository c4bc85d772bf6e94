"""The people who work with Roundbook."""
