"""A network namespace of the fleet's own: decoy hosts on real addresses and ports, and nothing else to be reached.

The fleet's processes import `blueprint` and `namespace` alone. What talks to the kernel about links, routes and rules
(`builder` and what it imports) runs in a process of its own that ends before the fleet serves: pyroute2 is there only.
"""
