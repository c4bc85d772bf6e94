"""The commands of `roundbook`, one module a group. server/cli.py puts them together."""
