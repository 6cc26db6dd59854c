"""`python -m chaffinch` is `chaffinch`."""

from chaffinch.cli import main

main()
