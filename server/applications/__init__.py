"""Third-party applications and their tokens."""
