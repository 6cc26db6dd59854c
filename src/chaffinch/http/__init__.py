"""HTTP/1.1 for the APIs of this program, whatever they are about; importing this package loads nothing.

A `server` takes connections, and `protocol` holds each to its bounds; an `endpoint` is one path of an API, and turns
what is raised there into an answer. Nothing here knows of chains or of load.
"""
