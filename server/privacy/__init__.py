"""What is kept of matters, for how long, who may look for it, and how it goes: docs/privacy.md."""
