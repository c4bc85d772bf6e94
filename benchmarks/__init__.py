"""Measured works, each beside a bare floor server: `make bench`."""
