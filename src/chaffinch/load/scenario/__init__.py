"""Scenario files: YAML text to nodes with lines, nodes to the structs of `declared`, those to a plan.

`declared` is the one definition: the reader, the JSON Schema and the reference tables are made from it. Nothing here
opens a connection; the only files that are read are those that a scenario names.
"""
