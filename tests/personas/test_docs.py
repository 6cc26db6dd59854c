"""The user's page on personas says what the data says."""

from pathlib import Path

from chaffinch.personas.archetypes import Archetype, archetypes
from chaffinch.personas.placement import Mixer

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


def test_the_steps_are_those_of_the_page() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line[2:3].isdigit()]
    steps = Mixer.of(b"any").steps
    assert len(rows) == len(steps)
    for line, (operation, constant) in zip(rows, steps, strict=True):
        assert f"`{operation}`" in line
        assert "the fleet's" in line or line.endswith((f"| {constant} |", f"| {constant:#06X} |".replace("0X", "0x")))
