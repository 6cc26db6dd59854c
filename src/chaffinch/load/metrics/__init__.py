"""A run as metrics: what it counts, its latencies, the state of its generator; importing this package loads nothing.

What is counted over the life of the process stays when a run ends (`sums`); what has the name of a run goes with it
(`families`). Every label set is bounded: `labels` picks those of a run that have series of their own.
"""
