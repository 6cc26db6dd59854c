"""Commands that would fetch something or log in elsewhere: what they were asked for is recorded, and they fail as on a
host whose way out is closed."""

import re
import time
from urllib.parse import urlsplit

from chaffinch.decoys.shell.call import Call, Command, missing, options, quoted


def _is_name(host: str) -> bool:
    return not re.fullmatch(r"[\d.]+|\[?[0-9a-fA-F:]+\]?", host)


def _urls(call: Call, valued: str) -> list[str]:
    """The addresses among a fetcher's arguments."""
    found, skip = [], False
    for arg in call.args:
        if skip:
            skip = False
        elif arg.startswith("-"):
            skip = len(arg) == 2 and arg[1] in valued
        else:
            found.append(arg)
    return found


async def wget(call: Call) -> int:
    urls = _urls(call, "OoPtTUQ")
    if not urls:
        call.complain("wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.")
        return 1
    quiet = (
        any(re.match(r"-[a-zA-Z]*q", arg) for arg in call.args if not arg.startswith("--")) or "--quiet" in call.args
    )
    for url in urls[:8]:
        whole = url if "://" in url else f"http://{url}"
        call.shell.fetched(whole)
        host, port = _where(whole)
        if call.shell.persona.os.family == "embedded":
            await call.shell.sleep(5 if _is_name(host) else 20)
            words = (
                f"bad address '{host}'"
                if _is_name(host)
                else f"can't connect to remote host ({host}): Connection timed out"
            )
            return call.fail(words)
        fault = _malformed(whole)
        if fault:
            call.complain(f"{url}: {fault}.")
            return 1
        lines = [
            (
                f"--{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(call.shell.now()))}--  "
                f"{whole if urlsplit(whole).path else whole + '/'}"
            )
        ]
        if _is_name(host):
            lines.append(
                f"Resolving {host} ({host})... failed: Temporary failure in name resolution.\n"
                f"wget: unable to resolve host address {quoted(host)}"
            )
            await call.shell.sleep(5)
        else:
            lines.append(f"Connecting to {host}:{port}... failed: Connection timed out.\nRetrying.\n")
            await call.shell.sleep(20)
        if not quiet:
            call.complain("\n".join(lines))
    return 4


def _malformed(url: str) -> str:
    """What GNU wget finds wrong with an address whose host begins with a bracket; empty where it is right."""
    try:
        urlsplit(url)
    except ValueError:
        return ("Invalid" if "]" in url else "Unterminated") + " IPv6 numeric address"
    return ""


def _where(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname or url, parts.port or {"https": 443, "ftp": 21}.get(parts.scheme, 80)
    except ValueError:
        return "localhost", 80


async def curl(call: Call) -> int:
    urls = _urls(call, "oXHdAeumtTxbcFK")
    if not urls:
        call.complain("curl: try 'curl --help' or 'curl --manual' for more information")
        return 2
    silent = (
        any(re.match(r"-[a-zA-Z]*s", arg) for arg in call.args if not arg.startswith("--")) or "--silent" in call.args
    )
    loud = not silent or any(re.match(r"-[a-zA-Z]*S", arg) for arg in call.args)
    status = 0
    for url in urls[:8]:
        whole = url if "://" in url else f"http://{url}"
        call.shell.fetched(whole)
        host, port = _where(whole)
        if _is_name(host):
            await call.shell.sleep(5)
            status, words = 6, f"curl: (6) Could not resolve host: {host}"
        else:
            await call.shell.sleep(20)
            status, words = (
                28,
                f"curl: (28) Failed to connect to {host} port {port} after 20012 ms: Couldn't connect to server",
            )
        if loud:
            call.complain(words)
    return status


async def tftp(call: Call) -> int:
    words = [arg for arg in call.args if not arg.startswith("-")]
    if not words:
        return missing(call, "usage: tftp [OPTIONS] HOST [PORT]")
    hosts = [word for word in words if re.fullmatch(r"[\d.]+(:\d+)?|[\w-]+(\.[\w-]+)+", word)]
    host = next((word for word in hosts if re.match(r"\d+\.\d+\.\d+\.\d+", word)), hosts[-1] if hosts else words[-1])
    path = next((word for word in reversed(words) if word != host), "")
    call.shell.fetched(f"{'tftp' if 'tftp' in call.name else 'ftp'}://{host}/{path}")
    await call.shell.sleep(8)
    call.complain(
        "tftp: timeout"
        if "tftp" in call.name
        else f"{call.name}: can't connect to remote host ({host}): Connection timed out"
    )
    return 1


async def netcat(call: Call) -> int:
    _, rest, _ = options(call.args, "lvnzukdhc", "pweisqe")
    if len(rest) < 2:
        call.complain("usage: nc [-options] hostname port[s] [ports] ..." if not rest else "no port[s] to connect to")
        return 1
    call.shell.fetched(f"tcp://{rest[0]}:{rest[1]}")
    await call.shell.sleep(10)
    call.complain(
        f"{rest[0]}: forward host lookup failed: Host name lookup failure"
        if _is_name(rest[0])
        else f"(UNKNOWN) [{rest[0]}] {rest[1]} (?) : Connection timed out"
    )
    return 1


async def ssh(call: Call) -> int:
    _, rest, _ = options(call.args, "46AaCfGgKkMNnqsTtVvXxYy", "BbcDEeFIiJLlmOopQRSWw")
    if not rest:
        call.complain(
            "usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface] [-b bind_address]\n   "
            "        [-c cipher_spec] [-D [bind_address:]port] destination [command "
            "[argument ...]]"
        )
        return 255
    host = rest[0].rpartition("@")[2]
    call.shell.fetched(f"ssh://{rest[0]}")
    await call.shell.sleep(10)
    call.complain(
        f"ssh: Could not resolve hostname {host}: Temporary failure in name resolution"
        if _is_name(host)
        else f"ssh: connect to host {host} port 22: Connection timed out"
    )
    return 255


COMMANDS: dict[str, Command] = {
    "wget": wget,
    "curl": curl,
    "nc": netcat,
    "netcat": netcat,
    "ssh": ssh,
    "scp": ssh,
}
