"""Many devices in the same minutes, against real server processes on PostgreSQL: `make load`, docs/load.md."""
