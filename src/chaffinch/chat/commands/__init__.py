"""The commands: each module has some, as data; `table` holds them together, and all about them derives from it."""
