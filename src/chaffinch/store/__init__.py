"""What workers derive from events, ready to be asked. Everything in it can be derived again from the journal."""
