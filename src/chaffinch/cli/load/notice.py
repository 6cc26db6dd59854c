"""What is said once to whoever uses the load tester for the first time."""

from pathlib import Path
from typing import Final

TEXT: Final = (
    "chaffinch load sends to the hosts that you name and to no others. Name only those that are yours, or whose owner\n"
    "has agreed: a load test of anybody else's server is an attack. docs/acceptable-use.md says more. (Said once.)\n"
)

NAME: Final = "load-notice"
"""In the state directory: that it was said."""


def first_time(state: Path) -> bool:
    """Whether it has not been said yet, as far as the state directory can tell; from now on it has."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (state / NAME).open("x", encoding="ascii") as opened:
            opened.write(TEXT)
    except FileExistsError:
        return False
    except OSError:
        return True  # a state directory that keeps nothing: it is said again rather than never
    return True
