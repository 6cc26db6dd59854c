"""What the fleet counts and measures: a registry in each process, merged snapshots, a page in OpenMetrics."""
