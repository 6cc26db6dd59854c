"""One script for each figure that the README states. `make bench` runs all and writes docs/benchmarks.md."""
