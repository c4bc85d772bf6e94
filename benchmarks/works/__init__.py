"""The works, a module each: `measure(ground, records)` does one run and gives what it saw."""
