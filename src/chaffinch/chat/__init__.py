"""The Discord bot: one chain a guild, learned from the channels that its moderators chose.

What Discord says becomes a struct of `seen` at once (`payloads`); what decides (`content`, `talking.replies`,
`calls.moderators`, `training.progress`) knows no Discord and no I/O. discord.py is imported by `client`, by what it is
made of (`parts`), and by `account`, which asks Discord before there is one: by nothing that the command line or a fleet
imports before it runs the bot.
"""
