"""Joined records, and pairs that may be one matter."""
