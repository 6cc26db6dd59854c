"""Commands, however they were given, and how they are answered."""
