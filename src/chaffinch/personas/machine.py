"""The hardware a host seems to have, and how busy it is: derived from the persona, the same on every visit."""

# ruff: noqa: E501  what a file says is data: its lines are as long as they are

import msgspec

from chaffinch.personas.persona import Persona

_CPUS = (
    ("GenuineIntel", "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 6, 79, 1, 2399.998, 35840),
    ("GenuineIntel", "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", 6, 85, 4, 2095.078, 22528),
    ("GenuineIntel", "Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz", 6, 85, 7, 2194.843, 14080),
    ("AuthenticAMD", "AMD EPYC 7402P 24-Core Processor", 23, 49, 0, 2794.748, 512),
)
_ARM = ("ARM", "Cortex-A72", 8, 0, 3, 54.0, 0)
_FLAGS = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht syscall nx pdpe1gb"
    " rdtscp lm constant_tsc rep_good nopl xtopology cpuid tsc_known_freq pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe"
    " popcnt aes xsave avx f16c rdrand hypervisor lahf_lm abm 3dnowprefetch fsgsbase bmi1 avx2 smep bmi2 erms rdseed adx smap"
)


class Machine(msgspec.Struct, frozen=True, gc=False):
    """Processors, memory in KiB, the disk in GiB and the share of it that is used."""

    vendor: str
    model: str
    family: int
    number: int
    stepping: int
    mhz: float
    cache: int
    cores: int
    memory: int
    disk: int
    used: float


def machine_of(persona: Persona) -> Machine:
    """What the host is built of."""
    draw = persona.derive("machine", 8)
    if persona.os.family == "embedded":
        return Machine(
            "", "ARMv7 Processor rev 5 (v7l)", 7, 0, 5, 0.0, 0, 1 + draw[0] % 2, 59_000 + draw[1] * 8, 0, 0.7
        )
    cpu = _CPUS[draw[0] % len(_CPUS)] if persona.os.machine == "x86_64" else _ARM
    gigabytes = (2, 4, 4, 8, 8, 16, 32)[draw[1] % 7]
    # What firmware and kernel keep: measured on Debian 12 guests, 3 to 4 %.
    memory = gigabytes * 1048576 - 60_000 - gigabytes * 30_000 + draw[2]
    cores = (1, 2, 2, 4, 4, 8)[draw[3] % 6]
    return Machine(*cpu, cores, memory, (20, 32, 40, 64, 100, 200)[draw[4] % 6], 0.12 + draw[5] / 512)


def load_of(persona: Persona, now: float) -> tuple[float, float, float]:
    """The load averages: small numbers that wander."""
    base = persona.derive("load", 2)[0] / 1000

    def level(seconds: int) -> float:
        slot = int(now // seconds)
        noise = persona.derive(f"load {seconds} {slot}", 2)
        return round(base + noise[0] / (1200 if seconds < 120 else 2400), 2)

    return level(30), level(150), level(450)


def memory_of(persona: Persona, now: float) -> tuple[int, int, int, int]:
    """Used, free, shared, and buffers with caches, in KiB: they add up to the machine's memory (without shared)."""
    machine = machine_of(persona)
    draw = persona.derive("memory", 4)
    wander = persona.derive(f"memory {int(now // 60)}", 2)[0] * 40
    used = int(machine.memory * (0.1 + draw[0] / 1500)) + wander
    cached = int(machine.memory * (0.3 + draw[1] / 800)) + wander * 2
    return used, machine.memory - used - cached, 500 + draw[2] * 8, cached


def cpuinfo(persona: Persona) -> str:
    """/proc/cpuinfo."""
    machine = machine_of(persona)
    if persona.os.machine.startswith(("arm", "aarch64", "mips")):
        cores = "".join(
            f"processor\t: {n}\nmodel name\t: {machine.model}\nBogoMIPS\t: 38.40\n"
            "Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae\n"
            "CPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: 0xc07\nCPU revision\t: 5\n\n"
            for n in range(machine.cores)
        )
        return f"{cores}Hardware\t: Generic DT based system\nRevision\t: 0000\nSerial\t\t: 0000000000000000\n"
    return "".join(
        f"processor\t: {n}\nvendor_id\t: {machine.vendor}\ncpu family\t: {machine.family}\nmodel\t\t: {machine.number}\n"
        f"model name\t: {machine.model}\nstepping\t: {machine.stepping}\nmicrocode\t: 0x1\ncpu MHz\t\t: {machine.mhz:.3f}\n"
        f"cache size\t: {machine.cache} KB\nphysical id\t: {n}\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: {n}\n"
        f"initial apicid\t: {n}\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes\nflags\t\t: {_FLAGS}\n"
        f"bugs\t\t: spectre_v1 spectre_v2 spec_store_bypass\nbogomips\t: {machine.mhz * 2:.2f}\nclflush size\t: 64\n"
        f"cache_alignment\t: 64\naddress sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n"
        for n in range(machine.cores)
    )


def meminfo(persona: Persona, now: float) -> str:
    """/proc/meminfo."""
    machine = machine_of(persona)
    used, free, shared, cached = memory_of(persona, now)
    buffers = cached // 12
    fields = (
        ("MemTotal", machine.memory), ("MemFree", free), ("MemAvailable", free + cached * 9 // 10), ("Buffers", buffers),
        ("Cached", cached - buffers), ("SwapCached", 0), ("Active", used + cached // 3), ("Inactive", cached // 2),
        ("SwapTotal", 0 if persona.os.family == "embedded" else 998_396),
        ("SwapFree", 0 if persona.os.family == "embedded" else 998_396),
        ("Dirty", 48), ("Writeback", 0), ("AnonPages", used * 3 // 4), ("Mapped", used // 3), ("Shmem", shared),
        ("Slab", cached // 9), ("PageTables", used // 90), ("CommitLimit", machine.memory // 2),
        ("Committed_AS", used * 2), ("VmallocTotal", 34_359_738_367), ("VmallocUsed", 15_012), ("VmallocChunk", 0),
    )  # fmt: skip
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in fields)


def kernel_build(persona: Persona) -> str:
    """The build that `uname -v` names, by the kernel's release."""
    release = persona.os.kernel
    known = {
        "6.1.0-18-amd64": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
        "6.1.0-21-amd64": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1 (2024-05-03)",
        "6.1.0-28-amd64": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)",
        "6.1.0-37-amd64": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)",
    }
    if release in known:
        return known[release]
    if persona.os.family == "embedded":
        return "#1 SMP PREEMPT Tue Jun 18 14:22:07 CST 2019"
    if "Ubuntu" in persona.os.name:
        build = release.partition("-")[2].partition("-")[0]
        return f"#{int(build) + 10 if build.isdecimal() else 1}-Ubuntu SMP Fri Nov 15 12:26:36 UTC 2024"
    return "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)"
