"""What was done, by whom and when: append-only, hash-chained, one chain a township."""
