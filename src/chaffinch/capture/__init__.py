"""What no listener gets: packets to closed ports, ICMP and ARP, seen by one raw socket and told in few events."""
