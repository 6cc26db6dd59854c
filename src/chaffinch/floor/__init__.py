"""What importing costs, by import: `probe` measures in a fresh interpreter, `graph` and `cut` say what deferring an
import would free, `text` and `picture` show it. Nothing here imports what is measured.
"""
