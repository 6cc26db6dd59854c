"""Replies that are longer than a line, and how a command line is read."""

import msgspec

FEATURES = b"211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n211 End\r\n"

HELP = (
    b"214-The following commands are recognized.\r\n"
    b" ABOR ACCT ALLO APPE CDUP CWD  DELE EPRT EPSV FEAT HELP LIST MDTM MKD\r\n"
    b" MODE NLST NOOP OPTS PASS PASV PORT PWD  QUIT REIN REST RETR RMD  RNFR\r\n"
    b" RNTO SITE SIZE SMNT STAT STOR STOU STRU SYST TYPE USER XCUP XCWD XMKD\r\n"
    b" XPWD XRMD\r\n214 Help OK.\r\n"
)

STATUS = (
    "211-FTP server status:\r\n"
    "     Connected to {source}\r\n"
    "     Logged in as {user}\r\n"
    "     TYPE: {type}\r\n"
    "     No session bandwidth limit\r\n"
    "     Session timeout in seconds is 300\r\n"
    "     Control connection is plain text\r\n"
    "     Data connections will be plain text\r\n"
    "     At session startup, client count was 1\r\n"
    "     vsFTPd {version} - secure, fast, stable\r\n"
    "211 End of status\r\n"
)


class Line(msgspec.Struct, frozen=True):
    """A command line: the verb in upper case and what follows it."""

    verb: str
    argument: str


def parse_line(raw: bytes) -> Line:
    """A line without its `\\n`. A NUL ends it, as it does for the server; carriage returns at its end are dropped."""
    text = raw.rstrip(b"\r").partition(b"\0")[0].decode("utf-8", "surrogateescape")
    verb, _, argument = text.partition(" ")
    return Line(verb.upper(), argument)


def reply(code: int, text: str) -> bytes:
    return f"{code} {text}\r\n".encode("utf-8", "surrogateescape")


DENIED = reply(550, "Permission denied.")


def quoted(path: str) -> str:
    """A path as a 257 reply gives it: in quotes, with quotes in it doubled."""
    return '"' + path.replace('"', '""') + '"'
