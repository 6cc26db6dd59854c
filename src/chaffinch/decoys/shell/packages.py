"""What apt and dpkg answer: a host that is up to date and cannot reach its mirror."""

from chaffinch.decoys.shell.call import Call, Command

_PACKAGES = (
    ("adduser", "3.134", "all", "add and remove users and groups"),
    ("apt", "2.6.1", "amd64", "commandline package manager"),
    ("base-files", "12.4+deb12u8", "amd64", "Debian base system miscellaneous files"),
    ("bash", "5.2.15-2+b7", "amd64", "GNU Bourne Again SHell"),
    ("busybox", "1:1.35.0-4+b3", "amd64", "Tiny utilities for small and embedded systems"),
    ("coreutils", "9.1-1", "amd64", "GNU core utilities"),
    ("cron", "3.0pl1-162", "amd64", "process scheduling daemon"),
    ("curl", "7.88.1-10+deb12u8", "amd64", "command line tool for transferring data with URL syntax"),
    ("dpkg", "1.21.22", "amd64", "Debian package management system"),
    ("libc6:amd64", "2.36-9+deb12u9", "amd64", "GNU C Library: Shared libraries"),
    ("nano", "7.2-1+deb12u1", "amd64", "small, friendly text editor inspired by Pico"),
    ("perl", "5.36.0-7+deb12u1", "amd64", "Larry Wall's Practical Extraction and Report Language"),
    ("python3", "3.11.2-1+b1", "amd64", "interactive high-level object-oriented language (default python3 version)"),
    ("systemd", "252.31-1~deb12u1", "amd64", "system and service manager"),
    ("wget", "1.21.3-1+deb12u1", "amd64", "retrieves files from the web"),
)


_FOR_ROOT = ("update", "install", "upgrade", "remove", "full-upgrade", "dist-upgrade", "purge")


async def apt(call: Call) -> int:
    verb = next((arg for arg in call.args if not arg.startswith("-")), "")
    if call.shell.user.uid != 0 and verb in _FOR_ROOT:
        return _locked(call, verb)
    if verb == "update":
        return await _update(call)
    call.print("Reading package lists... Done\nBuilding dependency tree... Done\nReading state information... Done")
    name = next((arg for arg in reversed(call.args) if not arg.startswith("-")), "")
    if verb == "install" and name != verb:
        call.complain(f"E: Unable to locate package {name}")
        return 100
    call.print("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.")
    return 0


def _locked(call: Call, verb: str) -> int:
    """What apt says to who is not root."""
    if verb == "update":
        lock = "/var/lib/apt/lists/lock"
        needs = "E: Unable to lock directory /var/lib/apt/lists/"
        call.print("Reading package lists... Done")
    else:
        lock = "/var/lib/dpkg/lock-frontend"
        needs = f"E: Unable to acquire the dpkg frontend lock ({lock}), are you root?"
    call.complain(f"E: Could not open lock file {lock} - open (13: Permission denied)\n{needs}")
    return 100


async def _update(call: Call) -> int:
    """An update on a host whose resolver does not answer."""
    sources = [line.split()[1:3] for line in call.view.files.read("/etc/apt/sources.list").decode().splitlines()]
    await call.shell.sleep(6)
    for url, suite in sources:
        call.print(f"Err:1 {url.rstrip('/')} {suite} InRelease\n  Temporary failure resolving '{url.split('/')[2]}'")
    call.print(
        "Reading package lists... Done\nBuilding dependency tree... Done\nReading state "
        "information... Done\nAll packages are up to date."
    )
    for url, suite in sources:
        call.complain(
            f"W: Failed to fetch {url.rstrip('/')}/dists/{suite}/InRelease  Temporary failure "
            f"resolving '{url.split('/')[2]}'"
        )
    call.complain("W: Some index files failed to download. They have been ignored, or old ones used instead.")
    return 0


async def dpkg(call: Call) -> int:
    if not call.args:
        call.complain("dpkg: error: need an action option")
        return 2
    if call.args[0] in ("-l", "--list"):
        call.print(
            "Desired=Unknown/Install/Remove/Purge/Hold\n| "
            "Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend"
        )
        call.print("|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)")
        call.print(
            f"||/ {'Name':<14} {'Version':<20} {'Architecture':<12} Description\n"
            f"+++-{'=' * 14}-{'=' * 20}-{'=' * 12}-{'=' * 44}"
        )
        for name, version, architecture, words in _PACKAGES:
            if len(call.args) < 2 or call.args[1].strip("*") in name:
                call.print(f"ii  {name:<14} {version:<20} {architecture:<12} {words}")
        return 0
    if call.shell.user.uid != 0:
        call.complain("dpkg: error: requested operation requires superuser privilege")
        return 2
    call.complain(f"dpkg: error: cannot access archive '{call.args[-1]}': No such file or directory")
    return 2


COMMANDS: dict[str, Command] = {
    "apt": apt,
    "apt-get": apt,
    "dpkg": dpkg,
}
