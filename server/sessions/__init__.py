"""How people sign in: passwords, a second factor, sessions, one-time links (docs/access.md)."""
