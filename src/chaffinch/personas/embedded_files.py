"""The files of a small device: a read-only root with BusyBox, as camera and gateway makers build it."""

# ruff: noqa: E501  what a file says is data: its lines are as long as they are

import functools

from chaffinch.personas import debian_contents as contents
from chaffinch.personas.files import Host, Node, Tree, tree
from chaffinch.personas.persona import Persona

APPLETS = (
    "ash cat chmod cp date dd df dmesg echo egrep false fgrep grep gunzip gzip hostname kill ln login ls mkdir mknod mktemp more mount mv"
    " netstat pidof ping ps pwd rm rmdir sed sh sleep stat stty su sync tar touch true umount uname usleep vi zcat"
)
"""The links in /bin."""

SBIN = "getty halt ifconfig init insmod klogd lsmod modprobe poweroff reboot rmmod route syslogd udhcpc watchdog"
USR_BIN = (
    "[ awk basename clear cut dirname du env expr find free ftpget ftpput head id killall less logger md5sum nc nslookup od passwd printf"
    " readlink sha256sum sort tail tee telnet test tftp top tr uniq uptime wc wget which whoami xargs"
)
_DIRECTORIES = (
    "/ /bin /dev /dev/pts /etc /etc/init.d /home /lib /mnt /opt /proc /proc/net /proc/self /proc/sys /proc/sys/kernel /root /run /sbin"
    " /sys /usr /usr/bin /usr/lib /usr/sbin /usr/share /var /var/log /var/run"
)


def _passwd(host: Host) -> bytes:
    users = host.persona.users
    return "".join(
        f"{user.name}:x:{user.uid}:{user.uid}:{user.full_name}:{user.home}:{user.shell}\n" for user in users
    ).encode()


def _shadow(host: Host) -> bytes:
    users = host.persona.users
    return "".join(
        f"{user.name}:{contents.crypted_md5(host.persona, user)}:0:0:99999:7:::\n" for user in users
    ).encode()


def _start(_: Host) -> bytes:
    return b"#!/bin/sh\nmount -a\nmkdir -p /var/log /var/run\n/sbin/ifconfig lo up\n/usr/sbin/telnetd\n/usr/bin/monitor &\n"


def _mounts(_: Host) -> bytes:
    return (
        b"rootfs / rootfs rw 0 0\n/dev/root / squashfs ro,relatime 0 0\nproc /proc proc rw,relatime 0 0\n"
        b"sysfs /sys sysfs rw,relatime 0 0\ntmpfs /dev tmpfs rw,relatime,size=64k 0 0\n"
        b"devpts /dev/pts devpts rw,relatime,mode=600,ptmxmode=000 0 0\ntmpfs /tmp tmpfs rw,relatime 0 0\n"
        b"/dev/mtdblock5 /mnt jffs2 rw,relatime 0 0\n"
    )


def _inittab(_: Host) -> bytes:
    return b"::sysinit:/etc/init.d/rcS\n::respawn:/sbin/getty -L ttyS0 115200 vt100\n::ctrlaltdel:/sbin/reboot\n"


@functools.cache
def shared() -> Tree:
    """What every such device has."""
    nodes = {path: Node("dir", 0o755) for path in _DIRECTORIES.split()}
    nodes["/tmp"] = Node("dir", 0o1777, when="boot")  # noqa: S108  the device's, not ours
    nodes["/bin/busybox"] = Node("file", 0o755, size=651_812, when="package")
    for where, names, target in (
        ("/bin/", APPLETS, "busybox"),
        ("/sbin/", SBIN, "../bin/busybox"),
        ("/usr/bin/", USR_BIN, "../../bin/busybox"),
    ):
        nodes |= {where + name: Node("link", 0o777, target=target, when="package") for name in names.split()}
    made = {
        "/etc/passwd": _passwd, "/etc/hostname": contents.hostname, "/etc/hosts": contents.hosts, "/etc/resolv.conf": contents.resolv_conf,
        "/etc/inittab": _inittab, "/proc/cpuinfo": contents.proc_cpuinfo, "/proc/meminfo": contents.proc_meminfo,
        "/proc/version": contents.proc_version, "/proc/uptime": contents.proc_uptime, "/proc/loadavg": contents.proc_loadavg,
        "/proc/self/mounts": _mounts, "/proc/net/dev": contents.proc_net_dev, "/proc/net/route": contents.proc_net_route,
    }  # fmt: skip
    nodes |= {
        path: Node("file", 0o644, content=make, when="now" if path.startswith("/proc") else "package")
        for path, make in made.items()
    }
    nodes["/proc/mounts"] = Node("link", 0o777, target="self/mounts", when="now")
    nodes["/etc/shadow"] = Node("file", 0o600, content=_shadow)
    nodes["/etc/init.d/rcS"] = Node("file", 0o755, content=_start)
    for name, numbers in (
        ("null", "1, 3"),
        ("zero", "1, 5"),
        ("urandom", "1, 9"),
        ("console", "5, 1"),
        ("watchdog", "10, 130"),
    ):
        nodes["/dev/" + name] = Node("char", 0o666, target=numbers, when="boot")
    return tree(nodes)


def own(persona: Persona) -> dict[str, Node]:
    """The homes of this device's accounts."""
    homes = (user for user in persona.users if user.home not in ("/", "/root"))
    return {user.home: Node("dir", 0o755, user.name, user.name) for user in homes}
