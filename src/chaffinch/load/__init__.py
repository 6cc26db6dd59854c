"""The load tester: scenario files, environment variables and URLs become a plan, and the core runs it.

Importing this package loads nothing: a name brings its module in when it is first used.
"""

TYPE_CHECKING = False  # that of `typing`, which would cost a megabyte
if TYPE_CHECKING:
    from chaffinch.load.environment import from_environment
    from chaffinch.load.loaded import Control, Guard, Loaded, Node, Standby
    from chaffinch.load.plan import Plan
    from chaffinch.load.results import Result
    from chaffinch.load.run import Runner, run_scenario
    from chaffinch.load.scenario.files import load_file, load_text
    from chaffinch.load.target import Options, parse_model, plan_for_url, with_options
    from chaffinch.load.thresholds import Threshold, parse_threshold

__all__ = [
    "Control",
    "Guard",
    "Loaded",
    "Node",
    "Options",
    "Plan",
    "Result",
    "Runner",
    "Standby",
    "Threshold",
    "from_environment",
    "load_file",
    "load_text",
    "parse_model",
    "parse_threshold",
    "plan_for_url",
    "run_scenario",
    "with_options",
]

_HOMES = {
    "chaffinch.load.environment": ("from_environment",),
    "chaffinch.load.loaded": ("Control", "Guard", "Loaded", "Node", "Standby"),
    "chaffinch.load.plan": ("Plan",),
    "chaffinch.load.results": ("Result",),
    "chaffinch.load.run": ("Runner", "run_scenario"),
    "chaffinch.load.scenario.files": ("load_file", "load_text"),
    "chaffinch.load.target": ("Options", "parse_model", "plan_for_url", "with_options"),
    "chaffinch.load.thresholds": ("Threshold", "parse_threshold"),
}


def __getattr__(name: str) -> object:
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            found: object = getattr(importlib.import_module(module), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
