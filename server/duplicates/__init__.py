"""Matters that may be the same one: suggested with reasons, decided by the office."""
