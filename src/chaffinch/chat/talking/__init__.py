"""When the bot speaks, and what it says."""
