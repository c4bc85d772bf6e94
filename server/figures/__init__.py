"""Figures: how many matters were found, and what became of them. Counts, never records."""
