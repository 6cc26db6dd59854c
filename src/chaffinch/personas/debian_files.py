"""The files of a Debian host: what every one has, and what its accounts and services add."""

import functools

from chaffinch.personas import debian_contents as contents
from chaffinch.personas.debian_programs import PROGRAMS
from chaffinch.personas.files import Node, Tree, groups_of, tree
from chaffinch.personas.persona import Persona, User

_DIRECTORIES = """\
/ /boot /dev /etc /home /media /mnt /opt /srv /usr /var /usr/bin /usr/sbin /usr/lib /usr/lib64 /usr/local
/usr/local/bin /usr/local/sbin /usr/games /usr/include /usr/share /usr/share/doc /usr/src /usr/lib/systemd
/usr/lib/x86_64-linux-gnu /usr/libexec /boot/grub /etc/alternatives /etc/apt /etc/apt/apt.conf.d
/etc/apt/sources.list.d /etc/apt/trusted.gpg.d /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/cron.monthly
/etc/cron.weekly /etc/default /etc/dpkg /etc/init.d /etc/kernel /etc/ld.so.conf.d /etc/logrotate.d /etc/modprobe.d
/etc/network /etc/network/if-up.d /etc/network/interfaces.d /etc/pam.d /etc/profile.d /etc/rc0.d /etc/rc1.d
/etc/rc2.d /etc/rc3.d /etc/rc4.d /etc/rc5.d /etc/rc6.d /etc/rcS.d /etc/rsyslog.d /etc/security /etc/skel /etc/ssh
/etc/ssh/ssh_config.d /etc/ssh/sshd_config.d /etc/ssl /etc/ssl/certs /etc/sudoers.d /etc/sysctl.d /etc/systemd
/etc/systemd/system /etc/udev /etc/update-motd.d /etc/vim /etc/X11 /etc/xdg /var/backups /var/cache /var/cache/apt
/var/lib /var/lib/apt /var/lib/dpkg /var/lib/systemd /var/log /var/log/apt /var/opt /var/spool /var/spool/mail
/var/spool/rsyslog"""

_BOOTED = """\
/dev/pts /dev/shm /dev/mapper /dev/disk /dev/input /dev/net /run /run/lock /run/systemd /run/user /run/sshd /run/udev
/sys /sys/block /sys/bus /sys/class /sys/class/net /sys/dev /sys/devices /sys/firmware /sys/fs /sys/kernel
/sys/module /sys/power /proc /proc/bus /proc/driver /proc/fs /proc/irq /proc/net /proc/sys /proc/sys/kernel
/proc/sys/net /proc/sys/vm /proc/1 /proc/self /proc/tty"""

_LINKS = {
    "/bin": "usr/bin",
    "/sbin": "usr/sbin",
    "/lib": "usr/lib",
    "/lib64": "usr/lib64",
    "/var/run": "/run",
    "/var/lock": "/run/lock",
    "/etc/os-release": "../usr/lib/os-release",
    "/etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "/etc/mtab": "../proc/self/mounts",
    "/etc/rmt": "/usr/sbin/rmt",
    "/etc/alternatives/vi": "/usr/bin/vim.tiny",
    "/etc/alternatives/editor": "/bin/nano",
    "/etc/alternatives/awk": "/usr/bin/mawk",
    "/etc/alternatives/which": "/usr/bin/which.debianutils",
    "/etc/alternatives/nc": "/bin/nc.traditional",
    "/etc/alternatives/pager": "/usr/bin/less",
    "/proc/mounts": "self/mounts",
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}

_DEVICES = (
    ("null", "char", "1, 3", 0o666, "root"),
    ("zero", "char", "1, 5", 0o666, "root"),
    ("full", "char", "1, 7", 0o666, "root"),
    ("random", "char", "1, 8", 0o666, "root"),
    ("urandom", "char", "1, 9", 0o666, "root"),
    ("tty", "char", "5, 0", 0o666, "tty"),
    ("console", "char", "5, 1", 0o600, "root"),
    ("ptmx", "char", "5, 2", 0o666, "tty"),
    ("kmsg", "char", "1, 11", 0o644, "root"),
    ("mem", "char", "1, 1", 0o640, "kmem"),
    ("fuse", "char", "10, 229", 0o666, "root"),
    ("rtc0", "char", "250, 0", 0o600, "root"),
    ("tty0", "char", "4, 0", 0o620, "tty"),
    ("tty1", "char", "4, 1", 0o620, "tty"),
    ("ttyS0", "char", "4, 64", 0o660, "dialout"),
    ("sda", "block", "8, 0", 0o660, "disk"),
    ("sda1", "block", "8, 1", 0o660, "disk"),
    ("sda2", "block", "8, 2", 0o660, "disk"),
    ("sda5", "block", "8, 5", 0o660, "disk"),
    ("sr0", "block", "11, 0", 0o660, "cdrom"),
)

_GENERATED = {
    "/etc/passwd": contents.passwd,
    "/etc/group": contents.group,
    "/etc/hostname": contents.hostname,
    "/etc/hosts": contents.hosts,
    "/etc/issue": contents.issue,
    "/etc/issue.net": contents.issue_net,
    "/etc/motd": contents.motd,
    "/etc/debian_version": contents.debian_version,
    "/usr/lib/os-release": contents.os_release,
    "/etc/fstab": contents.fstab,
    "/etc/resolv.conf": contents.resolv_conf,
    "/etc/ssh/sshd_config": contents.sshd_config,
    "/etc/crontab": contents.crontab,
    "/etc/network/interfaces": contents.interfaces,
    "/etc/machine-id": contents.machine_id,
    "/etc/timezone": contents.timezone,
    "/etc/apt/sources.list": contents.sources_list,
    "/etc/shells": contents.shells,
    "/etc/profile": contents.profile,
    "/etc/bash.bashrc": contents.bashrc,
    "/etc/skel/.bashrc": contents.bashrc,
    "/etc/skel/.profile": contents.user_profile,
    "/etc/skel/.bash_logout": contents.bash_logout,
    "/etc/nsswitch.conf": contents.nsswitch,
    "/etc/host.conf": contents.host_conf,
}

_PLAIN = {
    "/etc/adduser.conf": 3040,
    "/etc/ca-certificates.conf": 5989,
    "/etc/deluser.conf": 604,
    "/etc/login.defs": 12569,
    "/etc/services": 12813,
    "/etc/protocols": 3144,
    "/etc/rpc": 911,
    "/etc/sysctl.conf": 2355,
    "/etc/ld.so.cache": 20918,
    "/etc/ld.so.conf": 34,
    "/etc/logrotate.conf": 494,
    "/etc/mke2fs.conf": 782,
    "/etc/nanorc": 10593,
    "/etc/pam.conf": 552,
    "/etc/rsyslog.conf": 1987,
    "/etc/ssh/ssh_config": 1650,
    "/etc/ssh/moduli": 573928,
    "/etc/wgetrc": 4942,
    "/etc/xattr.conf": 681,
    "/boot/config-KERNEL": 259438,
    "/boot/initrd.img-KERNEL": 38247219,
    "/boot/System.map-KERNEL": 83,
    "/boot/vmlinuz-KERNEL": 8169408,
    "/var/lib/dpkg/status": 498213,
    "/var/lib/dpkg/available": 0,
}

_PROC = {
    "cpuinfo": contents.proc_cpuinfo,
    "meminfo": contents.proc_meminfo,
    "version": contents.proc_version,
    "uptime": contents.proc_uptime,
    "loadavg": contents.proc_loadavg,
    "self/mounts": contents.proc_mounts,
    "cmdline": contents.proc_cmdline,
    "filesystems": contents.proc_filesystems,
    "sys/kernel/hostname": contents.hostname,
    "sys/kernel/osrelease": contents.proc_osrelease,
    "net/dev": contents.proc_net_dev,
    "net/route": contents.proc_net_route,
    "1/cmdline": contents.proc_init,
    "1/comm": contents.proc_init_name,
    "partitions": contents.proc_partitions,
}


@functools.cache
def shared() -> Tree:
    """What every Debian host has: one tree for all of them."""
    nodes = {path: Node("dir", 0o755) for path in _DIRECTORIES.split()}
    nodes |= {path: Node("dir", 0o755, when="boot") for path in _BOOTED.split()}
    nodes |= {path: Node("link", 0o777, target=target) for path, target in _LINKS.items()}
    nodes |= {path: Node("file", 0o644, content=make) for path, make in _GENERATED.items()}
    nodes |= {"/proc/" + path: Node("file", 0o444, when="now", content=make) for path, make in _PROC.items()}
    nodes |= {
        path: Node("file", 0o644, size=size, when="package") for path, size in _PLAIN.items() if "KERNEL" not in path
    }
    for name, kind, numbers, mode, group in _DEVICES:
        nodes["/dev/" + name] = Node(kind, mode, group=group, target=numbers, when="boot")
    nodes["/tmp"] = Node("dir", 0o1777, when="recent")  # noqa: S108  the host's, not ours
    nodes["/var/tmp"] = nodes["/run/lock"] = Node("dir", 0o1777, when="boot")  # noqa: S108  the host's, not ours
    nodes["/dev/shm"] = Node("dir", 0o1777, when="boot")  # noqa: S108  the host's, not ours
    nodes["/root"] = Node("dir", 0o700)
    nodes["/lost+found"] = Node("dir", 0o700)
    nodes["/proc"] = nodes["/sys"] = Node("dir", 0o555, when="boot")
    nodes["/var/mail"] = nodes["/var/local"] = Node("dir", 0o2775, group="mail")
    nodes["/var/spool/cron"] = Node("dir", 0o755)
    nodes["/var/spool/cron/crontabs"] = Node("dir", 0o1730, group="crontab")
    nodes["/etc/shadow"] = Node("file", 0o640, group="shadow", content=contents.shadow)
    nodes["/etc/gshadow"] = Node("file", 0o640, group="shadow", content=contents.gshadow)
    nodes["/etc/sudoers"] = Node("file", 0o440, content=contents.sudoers)
    nodes["/run/motd.dynamic"] = Node("file", 0o644, when="boot", content=contents.uname_line)
    for name, make in (("syslog", contents.syslog), ("auth.log", contents.auth_log), ("dpkg.log", contents.dpkg_log)):
        owner = "root"
        nodes["/var/log/" + name] = Node("file", 0o640, owner, "adm", when="recent", content=make)
    for name, mode, group, size in (
        ("wtmp", 0o664, "utmp", 18432),
        ("btmp", 0o660, "utmp", 3840),
        ("lastlog", 0o664, "utmp", 292292),
    ):
        nodes["/var/log/" + name] = Node("file", mode, group=group, size=size, when="recent")
    nodes |= dict(_program(line) for line in PROGRAMS.splitlines())
    return tree(nodes)


def _program(line: str) -> tuple[str, Node]:
    path, _, what = line.partition(" ")
    if what.startswith(">"):
        return "/usr/" + path, Node("link", 0o777, target=what[1:], when="package")
    size, _, mode = what.partition(" ")
    group = "shadow" if mode == "2755" and "ssh" not in path else "_ssh" if mode == "2755" else "root"
    return "/usr/" + path, Node("file", int(mode or "755", 8), group=group, size=int(size), when="package")


def own(persona: Persona) -> dict[str, Node]:
    """What this host has beside that: its kernel, its accounts' homes, its services' files."""
    nodes: dict[str, Node] = {}
    for path, size in _PLAIN.items():
        if "KERNEL" in path:
            nodes[path.replace("KERNEL", persona.os.kernel)] = Node("file", 0o644, size=size, when="package")
    nodes["/vmlinuz"] = Node("link", 0o777, target=f"boot/vmlinuz-{persona.os.kernel}")
    nodes["/initrd.img"] = Node("link", 0o777, target=f"boot/initrd.img-{persona.os.kernel}")
    for user in persona.users:
        if user.uid == 0 or user.uid >= 1000:
            nodes |= _home(user, persona)
    for service in persona.services:
        nodes |= _SERVICES.get(service.name, dict)()
    return nodes


def _home(user: User, persona: Persona) -> dict[str, Node]:
    name, group = user.name, groups_of(persona, user)[0]

    def mine(mode: int, make: "functools.partial[bytes] | None" = None, when: str = "install") -> Node:
        return Node("file" if make else "dir", mode, name, group, content=make, when=when)

    home = user.home
    nodes = {
        home: mine(0o700 if user.uid == 0 else 0o755, when="recent"),
        f"{home}/.bashrc": mine(0o644, functools.partial(contents.root_bashrc if user.uid == 0 else contents.bashrc)),
        f"{home}/.profile": mine(0o644, functools.partial(contents.user_profile)),
        f"{home}/.bash_history": mine(0o600, functools.partial(contents.bash_history, user=user), "recent"),
        f"{home}/.ssh": mine(0o700),
        f"{home}/.ssh/known_hosts": mine(0o644, functools.partial(contents.known_hosts, user=user)),
    }
    if user.uid != 0:
        nodes[f"{home}/.bash_logout"] = mine(0o644, functools.partial(contents.bash_logout))
    names = contents.documents(persona, user)
    for path in names:
        above = path.rpartition("/")[0]
        if above:
            nodes[f"{home}/{above}"] = mine(0o755)
        mode = 0o755 if path.endswith(".sh") else 0o644
        nodes[f"{home}/{path}"] = mine(mode, functools.partial(contents.document, user=user, path=path))
    return nodes


def _http() -> dict[str, Node]:
    return {
        "/etc/nginx": Node("dir", 0o755), "/etc/nginx/nginx.conf": Node("file", 0o644, content=contents.nginx_conf),
        "/etc/nginx/sites-enabled": Node("dir", 0o755), "/etc/nginx/sites-available": Node("dir", 0o755),
        "/etc/nginx/sites-available/default": Node("file", 0o644, content=contents.nginx_site),
        "/etc/nginx/sites-enabled/default": Node("link", 0o777, target="/etc/nginx/sites-available/default"),
        "/var/www": Node("dir", 0o755), "/var/www/html": Node("dir", 0o755),
        "/var/www/html/index.nginx-debian.html": Node("file", 0o644, content=contents.nginx_page),
        "/var/log/nginx": Node("dir", 0o755, "www-data", "adm"),
        "/usr/sbin/nginx": Node("file", 0o755, size=1248512, when="package"),
    }  # fmt: skip


def _mysql() -> dict[str, Node]:
    return {
        "/etc/mysql": Node("dir", 0o755),
        "/etc/mysql/my.cnf": Node("file", 0o644, content=contents.my_cnf),
        "/etc/mysql/debian.cnf": Node("file", 0o600, size=544),
        "/var/lib/mysql": Node("dir", 0o755, "mysql", "mysql"),
        "/usr/bin/mysql": Node("link", 0o777, target="mariadb"),
        "/usr/bin/mariadb": Node("file", 0o755, size=5041264, when="package"),
        "/usr/sbin/mariadbd": Node("file", 0o755, size=25123376, when="package"),
    }


def _redis() -> dict[str, Node]:
    return {
        "/etc/redis": Node("dir", 0o2770, "redis", "redis"), "/var/lib/redis": Node("dir", 0o750, "redis", "redis"),
        "/etc/redis/redis.conf": Node("file", 0o640, "redis", "redis", size=107546),
        "/usr/bin/redis-cli": Node("file", 0o755, size=822392, when="package"),
    }  # fmt: skip


def _ftp() -> dict[str, Node]:
    return {
        "/etc/vsftpd.conf": Node("file", 0o644, size=5850), "/srv/ftp": Node("dir", 0o755, "root", "ftp"),
        "/usr/sbin/vsftpd": Node("file", 0o755, size=159024, when="package"),
    }  # fmt: skip


def _smtp() -> dict[str, Node]:
    return {
        "/etc/postfix": Node("dir", 0o755), "/etc/postfix/main.cf": Node("file", 0o644, content=contents.postfix_main),
        "/etc/aliases": Node("file", 0o644, content=contents.aliases), "/var/spool/postfix": Node("dir", 0o755),
        "/usr/sbin/sendmail": Node("file", 0o755, size=27232, when="package"),
    }  # fmt: skip


def _telnet() -> dict[str, Node]:
    return {"/etc/inetd.conf": Node("file", 0o644, content=contents.inetd_conf)}


_SERVICES = {"http": _http, "mysql": _mysql, "redis": _redis, "ftp": _ftp, "smtp": _smtp, "telnet": _telnet}
