"""Importers: what a browser, a shell or an API's description has, as the text of a scenario file.

Each is a pure function of text. What it cannot carry over it refuses by name, or says in a comment of the file.
"""
