"""The user's page on personas says what the data says."""

from pathlib import Path

from chaffinch.personas.archetypes import Archetype, archetypes
from chaffinch.personas.placement import Mixer, Placement
from chaffinch.personas.systems import Stack

PAGE = (Path(__file__).parents[2] / "docs" / "personas.md").read_text("utf-8")


def row(kind: Archetype) -> str:
    total = sum(make.weight for make in kind.makes)
    shares: dict[str, float] = {}
    for make in kind.makes:
        for rule in make.services:
            name = f"{rule.name} {rule.port}"
            shares[name] = shares.get(name, 0) + make.weight * (rule.span[1] - rule.span[0]) / total
    services = ", ".join(name if share > 0.9999 else f"{name} ({share:.0%})" for name, share in shares.items())
    systems = ", ".join(make.system.id for make in kind.makes)
    return f"| `{kind.name}` | {kind.title} | {kind.weight} | {systems} | {services} |"


def test_the_table_of_archetypes_is_true() -> None:
    missing = [row(kind) for kind in archetypes() if row(kind) not in PAGE.splitlines()]
    assert not missing, "docs/personas.md lacks these rows:\n" + "\n".join(missing)


def test_the_table_of_stacks_is_true() -> None:
    systems: dict[Stack, set[str]] = {}
    for make in (make for kind in archetypes() for make in kind.makes):
        systems.setdefault(make.system.stack, set()).add(make.system.id)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if "| 1460 |" in line]
    assert len(rows) == len(systems)
    for name, names, ttl, _, scale, _ in rows:  # the last cell is measured: tests/network/test_stacks.py
        manner = "windows" if name == "Windows" else "linux"
        look = Stack(int(ttl), int(scale), 65535 if int(scale) else 14600, manner)
        assert set(names.split(", ")) == systems[look]


def test_the_number_of_listeners_is_true() -> None:
    placed = Placement(Mixer.of(b"any"), archetypes())
    ports = {service.rule.port for slot in placed.slots for service in slot.services}
    told = f"a fleet has {sum(len(placed.stacks(port)) for port in ports)} listeners on its {len(ports)} ports"
    assert told in " ".join(PAGE.split())


def test_the_steps_are_those_of_the_page() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line[2:3].isdigit()]
    steps = Mixer.of(b"any").steps
    assert len(rows) == len(steps)
    for line, (operation, constant) in zip(rows, steps, strict=True):
        assert f"`{operation}`" in line
        assert "the fleet's" in line or line.endswith((f"| {constant} |", f"| {constant:#06X} |".replace("0X", "0x")))
