"""From what people say to their guild's chain, and out of it again."""
