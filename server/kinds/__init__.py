"""The kinds that this server knows: shipped ones, and those an administrator installed."""
