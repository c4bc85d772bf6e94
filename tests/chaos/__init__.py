"""A township over real processes: kill -9, failover, exhausted pools, rolling upgrades. See docs/chaos.md."""
