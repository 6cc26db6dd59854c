"""What the bot knows besides chains, in one SQLite file: settings, who is out, how far trainings are.

Never the text of a message.
"""
