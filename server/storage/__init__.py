"""Narrow functions over the database. Nothing here knows HTTP or what a merge is."""
