"""Who a decoy host is: a pure function of the fleet's seed and the address, never stored."""
