"""Every worker has its group, every group its process, and one supervisor starts, watches and ends them."""
