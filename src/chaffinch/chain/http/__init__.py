"""Chains over HTTP: `serve.serve` is the entry; importing this package loads nothing.

A request goes through the connections of `chaffinch.http`, `app` (who may do what), and `wire` (what a body must be);
everything that is refused is a `RefusalError`.
"""
