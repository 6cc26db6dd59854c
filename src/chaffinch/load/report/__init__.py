"""What is left of a run for people and programs: one HTML file, CSV of its intervals, the JSON Schema of results.

Everything here is made from a `Result` alone; nothing is fetched, and what came from servers or files is escaped.
"""
