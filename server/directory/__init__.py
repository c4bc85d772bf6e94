"""Divisions, grids, and the townships that work here."""
