"""Chains over HTTP: `serve.serve` is the entry; importing this package loads nothing.

A request goes through `protocol` (bytes and time of one connection; `doors` has all of them), `app` (who may do what),
and `wire` (what a body must be); everything that is refused is a `RefusalError`.
"""
