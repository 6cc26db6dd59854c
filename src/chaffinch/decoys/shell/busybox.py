"""BusyBox: its applets, and the program that calls them."""

from chaffinch.decoys.shell.call import Call, Command
from chaffinch.decoys.shell.fetching import tftp

APPLETS = [
    "[",
    "ar",
    "arch",
    "ash",
    "awk",
    "basename",
    "bc",
    "blkdiscard",
    "brctl",
    "bunzip2",
    "busybox",
    "bzcat",
    "bzip2",
    "cal",
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "chroot",
    "clear",
    "cmp",
    "cp",
    "cpio",
    "cut",
    "date",
    "dc",
    "dd",
    "df",
    "diff",
    "dirname",
    "dmesg",
    "dnsdomainname",
    "du",
    "echo",
    "egrep",
    "env",
    "expand",
    "expr",
    "false",
    "fgrep",
    "find",
    "fold",
    "free",
    "ftpget",
    "ftpput",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hexdump",
    "hostname",
    "httpd",
    "id",
    "ifconfig",
    "init",
    "ip",
    "kill",
    "killall",
    "less",
    "ln",
    "logger",
    "login",
    "ls",
    "lsmod",
    "lzma",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mknod",
    "mktemp",
    "more",
    "mount",
    "mv",
    "nc",
    "netstat",
    "nslookup",
    "od",
    "passwd",
    "ping",
    "pidof",
    "poweroff",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "reboot",
    "rev",
    "rm",
    "rmdir",
    "route",
    "sed",
    "seq",
    "sh",
    "sha1sum",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "strings",
    "stty",
    "su",
    "sync",
    "tail",
    "tar",
    "tee",
    "telnet",
    "test",
    "tftp",
    "time",
    "top",
    "touch",
    "tr",
    "traceroute",
    "true",
    "tty",
    "udhcpc",
    "umount",
    "uname",
    "uniq",
    "unzip",
    "uptime",
    "vi",
    "watch",
    "wc",
    "wget",
    "which",
    "who",
    "whoami",
    "xargs",
    "xz",
    "yes",
    "zcat",
]


async def busybox(call: Call) -> int:
    from chaffinch.decoys.shell.table import busybox_version

    if not call.args or call.args[0] in ("--help", "busybox"):
        call.print(f"{busybox_version(call.shell.persona)} multi-call binary.")
        call.print(
            "BusyBox is copyrighted by many authors between 1998-2015.\nLicensed under "
            "GPLv2. See source distribution for detailed\ncopyright notices.\n"
        )
        call.print("Usage: busybox [function [arguments]...]\n   or: busybox --list\n   or: function [arguments]...\n")
        call.print(
            "\tBusyBox is a multi-call binary that combines many common Unix\n\tutilities "
            "into a single executable.\n\nCurrently defined functions:"
        )
        line = "\t"
        for applet in APPLETS:
            line += applet + ", "
            if len(line) > 60:
                call.print(line.rstrip())
                line = "\t"
        call.print(line.rstrip(", "))
        return 0
    if call.args[0] == "--list":
        call.print("\n".join(APPLETS))
        return 0
    if call.args[0] not in APPLETS:
        call.complain(f"{call.args[0]}: applet not found")
        return 127
    return await call.shell.call(call.args[0], call.args[1:], call)


ONLY: dict[str, Command] = {"tftp": tftp, "ftpget": tftp, "ftpput": tftp}
"""Commands that a host has only where BusyBox is all there is."""


COMMANDS: dict[str, Command] = {
    "busybox": busybox,
}
