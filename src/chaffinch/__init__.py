"""A deception network on a memory budget. Importing this costs nothing: every part is imported where it is used."""

__version__ = "0.1.0"
