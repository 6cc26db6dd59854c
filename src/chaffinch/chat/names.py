"""Under which tenants the chains of a guild are."""


def tenant_of(guild: int) -> str:
    """The tenant whose chain a guild's members taught together."""
    return f"guild-{guild}"


def own_of(guild: int, user: int) -> str:
    """The tenant whose chain one member taught, who agreed to have one."""
    return f"guild-{guild}.user-{user}"


def owns_in(guild: int, tenants: list[str]) -> list[str]:
    """Those of `tenants` that are members' own chains in a guild."""
    return [tenant for tenant in tenants if tenant.startswith(f"guild-{guild}.user-")]
