"""What the files of a Debian host say: one function a file, from the host to its bytes."""

# ruff: noqa: E501  what a file says is data: its lines are as long as they are

import time
from collections.abc import Iterable

from chaffinch.personas import machine
from chaffinch.personas.files import Host, groups_of
from chaffinch.personas.persona import Persona, User

_SYSTEM_ACCOUNTS = """\
daemon:1:1:daemon:/usr/sbin bin:2:2:bin:/bin sys:3:3:sys:/dev sync:4:65534:sync:/bin games:5:60:games:/usr/games
man:6:12:man:/var/cache/man lp:7:7:lp:/var/spool/lpd mail:8:8:mail:/var/mail news:9:9:news:/var/spool/news
uucp:10:10:uucp:/var/spool/uucp proxy:13:13:proxy:/bin www-data:33:33:www-data:/var/www backup:34:34:backup:/var/backups
list:38:38:Mailing_List_Manager:/var/list irc:39:39:ircd:/run/ircd _apt:42:65534::/nonexistent nobody:65534:65534:nobody:/nonexistent
systemd-network:998:998:systemd_Network_Management:/ systemd-timesync:997:997:systemd_Time_Synchronization:/
messagebus:100:107::/nonexistent"""

_SYSTEM_GROUPS = """\
root:0 daemon:1 bin:2 sys:3 adm:4 tty:5 disk:6 lp:7 mail:8 news:9 uucp:10 man:12 proxy:13 kmem:15 dialout:20 fax:21 voice:22 cdrom:24
floppy:25 tape:26 sudo:27 audio:29 dip:30 www-data:33 backup:34 operator:37 list:38 irc:39 src:40 shadow:42 utmp:43 video:44 sasl:45
plugdev:46 staff:50 games:60 users:100 nogroup:65534 systemd-journal:999 systemd-network:998 crontab:101 input:102 sgx:103 kvm:104
render:105 netdev:106 messagebus:107 _ssh:108 systemd-timesync:997"""


def passwd(host: Host) -> bytes:
    lines: list[str] = []
    named = {user.name for user in host.persona.users}
    for user in host.persona.users:
        if user.uid == 0:
            lines.insert(0, _passwd_line(user))
    for account in _SYSTEM_ACCOUNTS.split():
        name, uid, gid, words, home = account.split(":")
        if name not in named:
            shell = "/bin/sync" if name == "sync" else "/usr/sbin/nologin"
            lines.append(f"{name}:x:{uid}:{gid}:{words.replace('_', ' ')}:{home}:{shell}")
    lines += [_passwd_line(user) for user in host.persona.users if user.uid != 0]
    return _text(lines)


def _passwd_line(user: User) -> str:
    words = user.full_name if user.uid < 1000 else user.full_name + ",,,"
    return f"{user.name}:x:{user.uid}:{user.uid}:{words}:{user.home}:{user.shell}"


def group(host: Host) -> bytes:
    members: dict[str, list[str]] = {}
    for user in host.persona.users:
        for name in groups_of(host.persona, user)[1:]:
            members.setdefault(name, []).append(user.name)
    lines = []
    for entry in _SYSTEM_GROUPS.split():
        name, gid = entry.split(":")
        lines.append(f"{name}:x:{gid}:{','.join(members.get(name, ()))}")
    known = {line.partition(":")[0] for line in lines}
    lines += [f"{user.name}:x:{user.uid}:" for user in host.persona.users if user.name not in known]
    return _text(lines)


def shadow(host: Host) -> bytes:
    day = host.installed // 86400
    lines = []
    for user in sorted(host.persona.users, key=lambda user: user.uid != 0):
        locked = user.shell.endswith(("nologin", "false"))
        lines.append(f"{user.name}:{'!*' if locked else crypted(host.persona, user)}:{day}:0:99999:7:::")
    named = {user.name for user in host.persona.users}
    names = [account.partition(":")[0] for account in _SYSTEM_ACCOUNTS.split()]
    lines[1:1] = [f"{name}:*:{day}:0:99999:7:::" for name in names if name not in named]
    return _text(lines)


_CRYPT64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def crypted(persona: Persona, user: User) -> str:
    """A yescrypt hash as Debian 12 writes it. It is the hash of nothing: cracking it wastes the cracker's time."""
    salt = "".join(_CRYPT64[byte % 64] for byte in persona.derive(f"salt {user.name}", 22))
    body = "".join(_CRYPT64[byte % 64] for byte in persona.derive(f"hash {user.name}", 43))
    return f"$y$j9T${salt}${body}"


def crypted_md5(persona: Persona, user: User) -> str:
    """The same for a device whose crypt(3) is old."""
    body = "".join(_CRYPT64[byte % 64] for byte in persona.derive(f"hash {user.name}", 30))
    return f"$1${body[:8]}${body[8:]}"


def gshadow(host: Host) -> bytes:
    lines = group(host).decode().splitlines()
    return _text(f"{line.split(':')[0]}:*::{line.split(':')[3]}" for line in lines)


def hostname(host: Host) -> bytes:
    return _text([host.persona.hostname])


def hosts(host: Host) -> bytes:
    persona = host.persona
    return _text((
        "127.0.0.1\tlocalhost", f"127.0.1.1\t{persona.fqdn}\t{persona.hostname}", "",
        "# The following lines are desirable for IPv6 capable hosts", "::1     localhost ip6-localhost ip6-loopback",
        "ff02::1 ip6-allnodes", "ff02::2 ip6-allrouters",
    ))  # fmt: skip


def _system(host: Host) -> str:
    return host.persona.os.name.partition(" (")[0]


def issue(host: Host) -> bytes:
    return f"{_system(host)} \\n \\l\n\n".encode()


def issue_net(host: Host) -> bytes:
    return _text([_system(host)])


def motd(host: Host) -> bytes:
    if "Debian" not in host.persona.os.name:
        return b""
    return (
        b"\nThe programs included with the Debian GNU/Linux system are free software;\n"
        b"the exact distribution terms for each program are described in the\nindividual files in /usr/share/doc/*/copyright.\n\n"
        b"Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY, to the extent\npermitted by applicable law.\n"
    )


def uname_line(host: Host) -> bytes:
    persona = host.persona
    return _text([f"Linux {persona.hostname} {persona.os.kernel} {machine.kernel_build(persona)} {persona.os.machine}"])


def debian_version(host: Host) -> bytes:
    point = {
        "18": 5,
        "21": 6,
        "25": 7,
        "26": 7,
        "27": 8,
        "28": 8,
        "30": 9,
        "31": 9,
        "32": 10,
        "33": 10,
        "34": 11,
        "37": 11,
    }
    build = host.persona.os.kernel.partition("-")[2].partition("-")[0]
    return _text(
        [
            f"{host.persona.os.version or '12'}.{point.get(build, 9)}"
            if "Debian" in host.persona.os.name
            else "bookworm/sid"
        ]
    )


def os_release(host: Host) -> bytes:
    system = host.persona.os
    code = system.name.partition("(")[2].rstrip(")") or "bookworm"
    if "Ubuntu" in system.name:
        number = system.id.rpartition("-")[2]
        return _text((
            f'PRETTY_NAME="{system.name}"', 'NAME="Ubuntu"', f'VERSION_ID="{number}"', "ID=ubuntu", "ID_LIKE=debian",
            'HOME_URL="https://www.ubuntu.com/"', 'SUPPORT_URL="https://help.ubuntu.com/"',
        ))  # fmt: skip
    return _text((
        f'PRETTY_NAME="{system.name}"', 'NAME="Debian GNU/Linux"', f'VERSION_ID="{system.version or 12}"',
        f'VERSION="{system.version or 12} ({code})"', f"VERSION_CODENAME={code}", "ID=debian",
        'HOME_URL="https://www.debian.org/"', 'SUPPORT_URL="https://www.debian.org/support"',
        'BUG_REPORT_URL="https://bugs.debian.org/"',
    ))  # fmt: skip


def _uuid(persona: Persona, purpose: str) -> str:
    text = persona.derive(purpose, 16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def fstab(host: Host) -> bytes:
    root, swap = _uuid(host.persona, "root disk"), _uuid(host.persona, "swap disk")
    return _text((
        "# /etc/fstab: static file system information.", "#",
        "# Use 'blkid' to print the universally unique identifier for a", "# device; this may be used with UUID= as a more robust way to name devices",
        "# that works even if disks are added and removed. See fstab(5).", "#",
        "# systemd generates mount units based on this file, see systemd.mount(5).",
        "# Please run 'systemctl daemon-reload' after making changes here.", "#",
        "# <file system> <mount point>   <type>  <options>       <dump>  <pass>", "# / was on /dev/sda1 during installation",
        f"UUID={root} /               ext4    errors=remount-ro 0       1", "# swap was on /dev/sda5 during installation",
        f"UUID={swap} none            swap    sw              0       0",
        "/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0",
    ))  # fmt: skip


def gateway(persona: Persona) -> str:
    """The first address of the host's network: its router, and its resolver."""
    return persona.address.rpartition(".")[0] + ".1"


def resolv_conf(host: Host) -> bytes:
    return _text(
        (f"domain {host.persona.domain}", f"search {host.persona.domain}", f"nameserver {gateway(host.persona)}")
    )


def sshd_config(host: Host) -> bytes:
    root = "yes" if any(user.uid == 0 and user.password for user in host.persona.users) else "prohibit-password"
    return _text((
        "# This is the sshd server system-wide configuration file.  See", "# sshd_config(5) for more information.", "",
        "Include /etc/ssh/sshd_config.d/*.conf", "", "#Port 22", "#AddressFamily any", "#ListenAddress 0.0.0.0", "#ListenAddress ::", "",
        "#LoginGraceTime 2m", f"{'' if root == 'yes' else '#'}PermitRootLogin {root}", "#StrictModes yes", "#MaxAuthTries 6",
        "#MaxSessions 10", "", "#PubkeyAuthentication yes", "#PasswordAuthentication yes", "#PermitEmptyPasswords no", "",
        "KbdInteractiveAuthentication no", "UsePAM yes", "X11Forwarding yes", "PrintMotd no", "AcceptEnv LANG LC_*",
        "Subsystem\tsftp\t/usr/lib/openssh/sftp-server",
    ))  # fmt: skip


def crontab(_: Host) -> bytes:
    run = "cd / && run-parts --report /etc/cron."
    anacron = "root\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron."
    return _text((
        "# /etc/crontab: system-wide crontab", "SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin", "",
        f"17 *\t* * *\troot\t{run}hourly", f"25 6\t* * *\t{anacron}daily; }}", f"47 6\t* * 7\t{anacron}weekly; }}",
        f"52 6\t1 * *\t{anacron}monthly; }}", "#",
    ))  # fmt: skip


def interfaces(host: Host) -> bytes:
    return _text((
        "# This file describes the network interfaces available on your system", "# and how to activate them. For more information, see interfaces(5).",
        "", "source /etc/network/interfaces.d/*", "", "# The loopback network interface", "auto lo", "iface lo inet loopback", "",
        "# The primary network interface", "allow-hotplug eth0", "iface eth0 inet static", f"\taddress {host.persona.address}/24",
        f"\tgateway {gateway(host.persona)}", f"\tdns-nameservers {gateway(host.persona)}", f"\tdns-search {host.persona.domain}",
    ))  # fmt: skip


def machine_id(host: Host) -> bytes:
    return _text([host.persona.derive("machine id", 16).hex()])


def timezone(_: Host) -> bytes:
    return b"Etc/UTC\n"


def sources_list(host: Host) -> bytes:
    kinds = "main non-free-firmware"
    if "Ubuntu" in host.persona.os.name:
        return _text(
            f"deb http://archive.ubuntu.com/ubuntu jammy{part} main restricted universe"
            for part in ("", "-updates", "-security")
        )
    return _text((
        f"deb http://deb.debian.org/debian/ bookworm {kinds}", f"deb http://security.debian.org/debian-security bookworm-security {kinds}",
        f"deb http://deb.debian.org/debian/ bookworm-updates {kinds}",
    ))  # fmt: skip


def shells(_: Host) -> bytes:
    return b"# /etc/shells: valid login shells\n/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/rbash\n/usr/bin/rbash\n/bin/dash\n/usr/bin/dash\n"


def profile(_: Host) -> bytes:
    return (
        b"# /etc/profile: system-wide .profile file for the Bourne shell (sh(1))\n# and Bourne compatible shells (bash(1), ksh(1), ash(1), ...).\n\n"
        b'if [ "$(id -u)" -eq 0 ]; then\n  PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\nelse\n'
        b'  PATH="/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"\nfi\nexport PATH\n'
    )


def bashrc(_: Host) -> bytes:
    return (
        b"# ~/.bashrc: executed by bash(1) for non-login shells.\n# see /usr/share/doc/bash/examples/startup-files (in the package bash-doc)\n# for examples\n\n"
        b"# If not running interactively, don't do anything\ncase $- in\n    *i*) ;;\n      *) return;;\nesac\n\n"
        b"HISTCONTROL=ignoreboth\nshopt -s histappend\nHISTSIZE=1000\nHISTFILESIZE=2000\nshopt -s checkwinsize\n\n"
        b"if [ -x /usr/bin/dircolors ]; then\n    alias ls='ls --color=auto'\nfi\n\n"
        b"if [ -f ~/.bash_aliases ]; then\n    . ~/.bash_aliases\nfi\n"
    )


def root_bashrc(_: Host) -> bytes:
    return (
        b"# ~/.bashrc: executed by bash(1) for non-login shells.\n\n# Note: PS1 and umask are already set in /etc/profile. You should not\n"
        b"# need this unless you want different defaults for root.\n# PS1='${debian_chroot:+($debian_chroot)}\\h:\\w\\$ '\n# umask 022\n\n"
        b"# You may uncomment the following lines if you want `ls' to be colorized:\n# export LS_OPTIONS='--color=auto'\n"
        b"# eval \"$(dircolors)\"\n# alias ls='ls $LS_OPTIONS'\n# alias ll='ls $LS_OPTIONS -l'\n# alias l='ls $LS_OPTIONS -lA'\n#\n"
        b"# Some more alias to avoid making mistakes:\n# alias rm='rm -i'\n# alias cp='cp -i'\n# alias mv='mv -i'\n"
    )


def user_profile(_: Host) -> bytes:
    return (
        b'# ~/.profile: executed by the command interpreter for login shells.\n\n# if running bash\nif [ -n "$BASH_VERSION" ]; then\n'
        b'    # include .bashrc if it exists\n    if [ -f "$HOME/.bashrc" ]; then\n\t. "$HOME/.bashrc"\n    fi\nfi\n'
    )


def bash_logout(_: Host) -> bytes:
    return (
        b"# ~/.bash_logout: executed by bash(1) when login shell exits.\n\n# when leaving the console clear the screen to increase privacy\n\n"
        b'if [ "$SHLVL" = 1 ]; then\n    [ -x /usr/bin/clear_console ] && /usr/bin/clear_console -q\nfi\n'
    )


def nsswitch(_: Host) -> bytes:
    names = ("passwd", "group", "shadow", "gshadow")
    rest = (
        "hosts:          files dns",
        "networks:       files",
        "",
        "protocols:      db files",
        "services:       db files",
    )
    return _text((*(f"{name + ':':<16}files systemd" for name in names), "", *rest))


def host_conf(_: Host) -> bytes:
    return b"multi on\n"


def sudoers(_: Host) -> bytes:
    return (
        b'Defaults\tenv_reset\nDefaults\tmail_badpass\nDefaults\tsecure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
        b"Defaults\tuse_pty\n\nroot\tALL=(ALL:ALL) ALL\n\n%sudo\tALL=(ALL:ALL) ALL\n\n@includedir /etc/sudoers.d\n"
    )


# The kernel's -------------------------------------------------------------------------------------------------------


def proc_cpuinfo(host: Host) -> bytes:
    return machine.cpuinfo(host.persona).encode()


def proc_meminfo(host: Host) -> bytes:
    return machine.meminfo(host.persona, host.now).encode()


def proc_version(host: Host) -> bytes:
    build = "debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40)"
    if host.persona.os.family == "embedded":
        build = "build@buildhost) (gcc version 4.9.4 (Buildroot 2017.08) )"
    return _text([f"Linux version {host.persona.os.kernel} ({build} {machine.kernel_build(host.persona)}"])


def proc_uptime(host: Host) -> bytes:
    up = host.now - host.booted
    return f"{up:.2f} {up * machine.machine_of(host.persona).cores * 0.97:.2f}\n".encode()


def proc_loadavg(host: Host) -> bytes:
    loads = machine.load_of(host.persona, host.now)
    return f"{loads[0]:.2f} {loads[1]:.2f} {loads[2]:.2f} 1/142 {1200 + int(host.now) // 7 % 28000}\n".encode()


def proc_mounts(_: Host) -> bytes:
    return (
        b"sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"
        b"udev /dev devtmpfs rw,nosuid,relatime,size=1988304k,nr_inodes=497076,mode=755,inode64 0 0\n"
        b"devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000 0 0\n"
        b"tmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,size=402224k,mode=755,inode64 0 0\n"
        b"/dev/sda1 / ext4 rw,relatime,errors=remount-ro 0 0\ntmpfs /dev/shm tmpfs rw,nosuid,nodev,inode64 0 0\n"
        b"tmpfs /run/lock tmpfs rw,nosuid,nodev,noexec,relatime,size=5120k,inode64 0 0\n"
        b"cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n"
    )


def proc_cmdline(host: Host) -> bytes:
    return _text(
        [f"BOOT_IMAGE=/boot/vmlinuz-{host.persona.os.kernel} root=UUID={_uuid(host.persona, 'root disk')} ro quiet"]
    )


def proc_filesystems(_: Host) -> bytes:
    return b"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\nnodev\tdevpts\n\text3\n\text2\n\text4\n\tvfat\nnodev\tautofs\n"


def proc_osrelease(host: Host) -> bytes:
    return _text([host.persona.os.kernel])


def proc_net_dev(host: Host) -> bytes:
    up = int(host.now - host.booted)
    head = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
    )
    rows = (("lo", up * 31, up // 9, up * 31, up // 9), ("eth0", up * 2113, up * 3, up * 907, up * 2))
    return (
        head
        + "".join(
            f"{n:>6}: {a:>7} {b:>7}    0    0    0     0          0         0 {c:>8} {d:>7}    0    0    0     0       0          0\n"
            for n, a, b, c, d in rows
        )
    ).encode()


def proc_net_route(host: Host) -> bytes:
    parts = [int(part) for part in gateway(host.persona).split(".")]
    router = "".join(f"{part:02X}" for part in reversed(parts))
    network = "00" + router[2:]
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
    tail = "\t0\t0\t0"
    return _text(
        (
            head,
            f"eth0\t00000000\t{router}\t0003\t0\t0\t0\t00000000{tail}",
            f"eth0\t{network}\t00000000\t0001\t0\t0\t0\t00FFFFFF{tail}",
        )
    )


def proc_init(_: Host) -> bytes:
    return b"/sbin/init\0"


def proc_init_name(_: Host) -> bytes:
    return b"systemd\n"


def proc_partitions(host: Host) -> bytes:
    blocks = machine.machine_of(host.persona).disk << 20
    rows = ((8, 0, blocks, "sda"), (8, 1, blocks - 1_000_448, "sda1"), (8, 2, 1, "sda2"), (8, 5, 998_400, "sda5"))
    return _text(("major minor  #blocks  name", "", *(f"{a:>4} {b:>8} {c:>10} {d}" for a, b, c, d in rows)))


# Logs ---------------------------------------------------------------------------------------------------------------


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when * 1e6) % 1000000:06d}+00:00"


def syslog(host: Host) -> bytes:
    hour = int(host.now // 3600) * 3600
    lines = []
    for back in range(24, 0, -1):
        at = hour - back * 3600 + 17 * 60 + 1 + host.persona.derive(f"cron {hour - back * 3600}", 1)[0] / 300
        pid = 500 + int(at) // 60 % 30000
        name = host.persona.hostname
        if at < host.now:
            lines.append(
                f"{_stamp(at)} {name} CRON[{pid}]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)"
            )
    return _text(lines)


def auth_log(host: Host) -> bytes:
    hour = int(host.now // 3600) * 3600
    lines = []
    for back in range(24, 0, -1):
        at = hour - back * 3600 + 17 * 60 + 1.2
        pid = 499 + int(at) // 60 % 30000
        if at < host.now:
            words = "session opened for user root(uid=0) by (uid=0)"
            lines.append(f"{_stamp(at)} {host.persona.hostname} CRON[{pid}]: pam_unix(cron:session): {words}")
            lines.append(
                f"{_stamp(at + 0.02)} {host.persona.hostname} CRON[{pid}]: pam_unix(cron:session): session closed for user root"
            )
    return _text(lines)


def dpkg_log(host: Host) -> bytes:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(host.booted - 600))
    package = f"linux-image-{host.persona.os.kernel}:amd64"
    return _text(
        f"{stamp} {line}"
        for line in ("startup packages configure", f"configure {package} <none>", f"status installed {package}")
    )


# Homes --------------------------------------------------------------------------------------------------------------

_HABITS = (
    "ls", "ls -la", "cd /var/log", "tail -f syslog", "df -h", "free -m", "top", "exit", "cd", "uptime", "ps aux | grep {service}",
    "vi notes.txt", "sudo apt update", "sudo apt upgrade", "systemctl status {service}", "ip a", "ping {gateway}", "w", "history",
    "cat /etc/hosts", "ssh {gateway}", "du -sh *", "cd /tmp", "crontab -l", "ss -ltn", "journalctl -u {service} -n 50",
)  # fmt: skip


def bash_history(host: Host, user: User) -> bytes:
    random = host.persona.random(f"history {user.name}")
    services = [service.name for service in host.persona.services] or ["cron"]
    count = 12 + random.randrange(40)
    lines = (random.choice(_HABITS) for _ in range(count))
    prefix = "" if user.uid else "sudo "
    return _text(
        line.removeprefix(prefix or " ").format(service=random.choice(services), gateway=gateway(host.persona))
        for line in lines
    )


def known_hosts(host: Host, user: User) -> bytes:
    import base64

    key = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + host.persona.derive(f"known {user.name}", 32)).decode()
    return _text([f"{gateway(host.persona)} ssh-ed25519 {key}"])


_DOCUMENTS = (
    "notes.txt",
    "todo.txt",
    "Documents/inventory.csv",
    "Documents/handover.txt",
    "backup.sh",
    "Documents/meeting-notes.txt",
)


def documents(persona: Persona, user: User) -> tuple[str, ...]:
    """The paths of an account's own documents, below its home: none to three."""
    draw = persona.derive(f"documents {user.name}", 4)
    if user.uid == 0:
        return ("backup.sh",) if draw[0] % 2 else ()
    first, step = draw[1] % len(_DOCUMENTS), 1 + 4 * (draw[2] % 2)
    return tuple(_DOCUMENTS[(first + turn * step) % len(_DOCUMENTS)] for turn in range(draw[3] % 4))


def document(host: Host, user: User, path: str) -> bytes:
    persona = host.persona
    name = path.rpartition("/")[2]
    if name == "backup.sh":
        target = f"/var/backups/{persona.hostname}-$(date +%F).tar.gz"
        return _text(
            (
                "#!/bin/sh",
                "set -e",
                f"tar czf {target} /etc /home /var/www 2>/dev/null",
                "find /var/backups -name '*.tar.gz' -mtime +14 -delete",
            )
        )
    if name == "inventory.csv":
        network = persona.address.rpartition(".")[0]
        rows = (
            f"{network}.{1 + byte % 250},{persona.hostname[:-1]}{n},ok"
            for n, byte in enumerate(persona.derive("inventory", 6))
        )
        return _text(("address,name,state", *rows))
    services = ", ".join(service.name for service in persona.services)
    return _text((
        f"{persona.hostname} ({persona.address})", f"runs: {services}", "", "- certificates: renew before the end of the quarter",
        "- ask for a bigger disk", f"- {user.full_name.partition(' ')[0] or user.name}: check the backups on Monday",
    ))  # fmt: skip


# Services -----------------------------------------------------------------------------------------------------------


def nginx_conf(_: Host) -> bytes:
    return (
        b"user www-data;\nworker_processes auto;\npid /run/nginx.pid;\nerror_log /var/log/nginx/error.log;\n"
        b"include /etc/nginx/modules-enabled/*.conf;\n\nevents {\n\tworker_connections 768;\n}\n\nhttp {\n\tsendfile on;\n\ttcp_nopush on;\n"
        b"\ttypes_hash_max_size 2048;\n\tinclude /etc/nginx/mime.types;\n\tdefault_type application/octet-stream;\n"
        b"\taccess_log /var/log/nginx/access.log;\n\tgzip on;\n\tinclude /etc/nginx/conf.d/*.conf;\n\tinclude /etc/nginx/sites-enabled/*;\n}\n"
    )


def nginx_site(_: Host) -> bytes:
    return (
        b"server {\n\tlisten 80 default_server;\n\tlisten [::]:80 default_server;\n\n\troot /var/www/html;\n\n"
        b"\tindex index.html index.htm index.nginx-debian.html;\n\n\tserver_name _;\n\n\tlocation / {\n\t\ttry_files $uri $uri/ =404;\n\t}\n}\n"
    )


def nginx_page(_: Host) -> bytes:
    return (
        b"<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n<style>\nhtml { color-scheme: light dark; }\n"
        b"body { width: 35em; margin: 0 auto;\nfont-family: Tahoma, Verdana, Arial, sans-serif; }\n</style>\n</head>\n<body>\n"
        b"<h1>Welcome to nginx!</h1>\n<p>If you see this page, the nginx web server is successfully installed and\nworking. Further configuration is required.</p>\n\n"
        b'<p>For online documentation and support please refer to\n<a href="http://nginx.org/">nginx.org</a>.<br/>\nCommercial support is available at\n'
        b'<a href="http://nginx.com/">nginx.com</a>.</p>\n\n<p><em>Thank you for using nginx.</em></p>\n</body>\n</html>\n'
    )


def my_cnf(_: Host) -> bytes:
    return b"[client-server]\nsocket = /run/mysqld/mysqld.sock\n\n!includedir /etc/mysql/conf.d/\n!includedir /etc/mysql/mariadb.conf.d/\n"


def postfix_main(host: Host) -> bytes:
    persona = host.persona
    return _text((
        "smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)", "biff = no", "append_dot_mydomain = no", "readme_directory = no",
        "compatibility_level = 3.6", f"myhostname = {persona.fqdn}", "alias_maps = hash:/etc/aliases", "myorigin = /etc/mailname",
        f"mydestination = $myhostname, {persona.hostname}, localhost.{persona.domain}, localhost", "relayhost =", "inet_interfaces = all",
    ))  # fmt: skip


def aliases(_: Host) -> bytes:
    return b"# See man 5 aliases for format\npostmaster:    root\n"


def inetd_conf(_: Host) -> bytes:
    return b"telnet\t\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/telnetd\n"


def _text(lines: Iterable[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()
