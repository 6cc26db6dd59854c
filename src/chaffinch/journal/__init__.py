"""The durable, ordered log of events, and the bus: decoys append, every worker is a consumer with its own cursor."""
