"""What the bots that came before left: their settings, their databases, their files. Read, never written."""
