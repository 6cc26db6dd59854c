"""The Discord bot: one chain a guild, learned from the channels that its moderators chose.

What Discord says becomes a struct of `seen` at once; what decides (`content`, `replies`, `moderators`) knows no Discord
and no I/O; discord.py is imported by `client` and what it alone imports.
"""
