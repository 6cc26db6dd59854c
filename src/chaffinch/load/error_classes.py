"""The classes of errors: what each means, and what to do about it. A data table; the engine has the same names."""

from typing import Final, NamedTuple


class ErrorClass(NamedTuple):
    """One class."""

    meaning: str
    advice: str


CLASSES: Final[dict[str, ErrorClass]] = {
    "connect": ErrorClass(
        "The target accepted no connection.",
        "See that it listens on this address and port, and that its queue of connections (somaxconn) is long enough.",
    ),
    "dns": ErrorClass("The host's name has no address.", "Correct the name, or give its address with --resolve."),
    "tls": ErrorClass(
        "The handshake failed or the certificate was refused.",
        "Name the authority, or the certificate itself, with --ca, or switch verification off.",
    ),
    "timeout": ErrorClass(
        "The answer was not whole in time.",
        "The target is overloaded or waits for something; a longer timeout only shows for how long.",
    ),
    "reset": ErrorClass(
        "The target reset the connection.", "Look for limits on connections or requests, and for crashes, in its log."
    ),
    "closed": ErrorClass(
        "The target closed the connection before the answer was whole.",
        "Look at its keep-alive and worker limits: a process may have ended in the middle of an answer.",
    ),
    "protocol": ErrorClass(
        "What came is not an answer of the protocol.",
        "See that the port speaks HTTP of this version, and TLS where the address says https.",
    ),
    "too_long": ErrorClass(
        "The answer is longer than what is read of one.", "Ask for less, or look whether the target ends its answers."
    ),
    "status": ErrorClass(
        "The status is 400 or more, and nothing was asserted of it.",
        "4xx is mostly the request's fault (address, login, rate limit), 5xx the target's.",
    ),
    "template": ErrorClass(
        "The request could not be filled in: a variable has no value.",
        "Give the extraction a default, or look why the step before did not bring the value.",
    ),
    "assertion": ErrorClass(
        "The answer is not what was asserted of it.", "Compare an answer with the step's assertions."
    ),
    "extraction": ErrorClass(
        "What should be taken from the answer is not there.", "Compare an answer with the step's extractions."
    ),
    "encoding": ErrorClass(
        "The answer is in an encoding that cannot be undone.", "Switch compression off, or ask for gzip."
    ),
    "unsent": ErrorClass(
        "No connection or user was free before the run ended.",
        "Allow more users or connections, or ask for a lower rate.",
    ),
    "system": ErrorClass(
        "This machine refused something: descriptors, ports or memory.",
        "Raise the limit of open files, widen the range of local ports, or send from more machines.",
    ),
}

ANSWERED: Final = frozenset({"status", "assertion", "extraction", "encoding"})
"""Those of requests that had a whole answer."""

UNKNOWN: Final = ErrorClass("A class that this version does not know.", "See the documents of the version that ran it.")


def explain(name: str) -> ErrorClass:
    """What a class means."""
    return CLASSES.get(name, UNKNOWN)
