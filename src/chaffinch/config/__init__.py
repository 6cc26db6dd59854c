"""The configuration: one typed, frozen tree from a TOML file < `CHAFFINCH_*` environment < flags.

Every setting is declared once, in `tree`; the commented file that `chaffinch init` writes, the reference page and the
command line's options are made from these declarations. The environment is read in `variables` alone.
"""

from chaffinch.config.declared import Setting, settings
from chaffinch.config.file import placed
from chaffinch.config.loading import load, parse_size
from chaffinch.config.tree import (
    LOG_FORMAT,
    SECTIONS,
    BotSettings,
    CandidateSettings,
    CaptureSettings,
    ChainSettings,
    Config,
    DecoySettings,
    FleetSettings,
    Groups,
    JournalSettings,
    MetricsSettings,
    NetworkSettings,
    ServeSettings,
    ServiceSettings,
    StoreSettings,
)
from chaffinch.config.variables import config_file, environment, environment_path, state_directory

__all__ = [
    "LOG_FORMAT",
    "SECTIONS",
    "BotSettings",
    "CandidateSettings",
    "CaptureSettings",
    "ChainSettings",
    "Config",
    "DecoySettings",
    "FleetSettings",
    "Groups",
    "JournalSettings",
    "MetricsSettings",
    "NetworkSettings",
    "ServeSettings",
    "ServiceSettings",
    "Setting",
    "StoreSettings",
    "config_file",
    "environment",
    "environment_path",
    "load",
    "parse_size",
    "placed",
    "settings",
    "state_directory",
]
