"""Learning a guild's history: every listened channel and its threads, newest to oldest, in pages of 100.

What is durable comes in this order: a page's messages in the chain, then the channel's cursor. So a training that was
cut off anywhere goes on with a page that it may have learned already, whose messages are then duplicates by id.
"""
