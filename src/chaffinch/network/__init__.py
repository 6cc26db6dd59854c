"""Which address answers which port, and the listeners that make it so: one for each port, serving every address."""
