"""Who has an account on a host: its administrator, its packages' accounts, some of the staff, the archetype's roles."""

from collections.abc import Sequence

from chaffinch.personas.archetypes import Archetype
from chaffinch.personas.draws import Draws, pick
from chaffinch.personas.organization import Organization, Person
from chaffinch.personas.persona import Service, User
from chaffinch.personas.systems import Account, System
from chaffinch.personas.words import WEAK_PASSWORDS

FIRST_PACKAGE_UID = 101
"""Debian gives what packages create the numbers from 100 on."""


def users(
    archetype: Archetype, system: System, services: Sequence[Service], organization: Organization, draws: Draws
) -> tuple[User, ...]:
    """The host's accounts, its administrator first, each name once."""
    root = system.administrator
    found = {root.name: _user(root, system, root.uid)}
    uid = FIRST_PACKAGE_UID
    for service in services:
        account = system.services[service.name].account
        if account is not None and account.name not in found:
            found[account.name] = _user(account, system, uid)
            uid += 1
    uid = system.first_uid
    for account in system.accounts:
        found[account.name] = _user(account, system, uid)
        uid += 1
    people = _people(archetype, organization, draws)
    for person in people:
        home = system.home.replace("{name}", person.login)
        found[person.login] = User(person.login, uid, person.full_name, home, system.shell)
        uid += 1
    for role in archetype.users.roles:
        if role.name not in found:
            found[role.name] = _user(role, system, uid)
            uid += 1
    if draws.breached < archetype.weak.share_on(system) * (1 << 16):
        _weaken(found, archetype, people, draws)
    return tuple(found.values())


def _people(archetype: Archetype, organization: Organization, draws: Draws) -> list[Person]:
    """Some of a pool whose size is a prime: a step of any size meets nobody twice."""
    rule = archetype.users
    pool = organization.administrators if rule.administrators else organization.staff
    count = rule.staff[0] + draws.staff_count % (rule.staff[1] - rule.staff[0] + 1)
    step = 1 + draws.staff_step % (len(pool) - 1)
    return [pool[(draws.staff_first + turn * step) % len(pool)] for turn in range(min(count, len(pool)))]


def _user(account: Account, system: System, uid: int) -> User:
    home = account.home or system.home.replace("{name}", account.name)
    return User(account.name, account.uid or uid, account.full_name, home, account.shell or system.shell)


def _weaken(found: dict[str, User], archetype: Archetype, people: list[Person], draws: Draws) -> None:
    """Give one account a password that is on every list, and on a quarter of the hosts a second one."""
    wanted = [people[0].login if name == "staff" and people else name for name in archetype.weak.accounts]
    names = [name for name in wanted if name in found] or list(found)[:1]
    _set_password(found, pick(names, draws.weak_account), pick(WEAK_PASSWORDS, draws.weak_password))
    if draws.second_weak & 3 == 0:
        _set_password(found, pick(names, draws.second_weak >> 2), pick(WEAK_PASSWORDS, draws.second_password))


def _set_password(found: dict[str, User], name: str, password: str) -> None:
    user = found[name]
    found[name] = User(user.name, user.uid, user.full_name, user.home, user.shell, password)
