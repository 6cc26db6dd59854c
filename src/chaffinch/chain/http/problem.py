"""What the API refuses: the errors of the engine, and a body that was learned in part."""

import msgspec

from chaffinch.chain.errors import (
    BusyError,
    DamagedError,
    LockedError,
    NothingNewError,
    UnknownTenantError,
)
from chaffinch.chain.http.wire import Learned, ProblemBody
from chaffinch.errors import ChaffinchError, InputError
from chaffinch.http.problem import RefusalError, retry_after


class LearnedInPartError(RefusalError):
    """A refusal in the middle of a body; its answer says what was learned before it, which stays."""

    def __init__(self, refused: RefusalError, learned: Learned) -> None:
        super().__init__(refused.status, refused.code, refused.detail, refused.headers)
        self.learned = learned

    def body(self) -> ProblemBody:
        """The answer's body."""
        return ProblemBody(**msgspec.structs.asdict(super().body()), learned=self.learned)


def problem_of(error: ChaffinchError) -> RefusalError:
    """The refusal that an error of the engine is. The sentence stays its own."""
    detail = str(error)
    match error:
        case NothingNewError():
            return RefusalError(422, "nothing_new", detail)
        case UnknownTenantError():
            # The engine names a directory of ours, which is nobody's business out there.
            return RefusalError(404, "unknown_tenant", "there is no such chain: learn messages first, or name another")
        case BusyError():
            # The engine names a fraction of a second, the header whole ones: a client is told one time.
            after = retry_after(error.retry_after_seconds)
            full = f"there is more to do than there is room for: try again in {after['Retry-After']} s"
            return RefusalError(429, "busy", full, after)
        case LockedError():
            locked = "another process is writing this chain: stop it, or send the request there"
            return RefusalError(503, "locked", locked, retry_after(5))
        case DamagedError():
            damaged = "a file of this chain is damaged: `chaffinch chain verify` on the server says which"
            return RefusalError(503, "damaged", damaged, retry_after(60))
        case InputError() if "backward" in detail:  # the engine names an option of the command line
            forwards = "this chain has no way back, which `containing` and `ending` need: ask with `seed` or `starting`"
            return RefusalError(409, "conflict", forwards)
        case InputError():
            return RefusalError(409, "conflict", detail)
        case _:
            failed = "the server could not store or read this now: its log says why; send the request again later"
            return RefusalError(503, "storage", failed, retry_after(5))
