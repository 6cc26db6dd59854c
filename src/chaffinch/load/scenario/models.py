"""Load models of a file to models of the plan."""

from pathlib import Path
from typing import Final

from chaffinch.errors import InputError
from chaffinch.load import plan
from chaffinch.load.scenario import declared
from chaffinch.load.scenario.data import read_rates
from chaffinch.load.scenario.faults import Faults

MOST_NAME: Final = 500
"""Characters of a file's name, which errors show."""


def model(part: declared.LoadPart, duration_ms: int | None, directory: Path | None, faults: Faults) -> plan.Model:
    """One model; what is wrong goes to the faults."""
    match part:
        case declared.ConcurrentLoad():
            return plan.Closed()
        case declared.RpsLoad():
            return plan.Constant(part.target)
        case declared.RampLoad():
            return _ramp(part, duration_ms, faults)
        case declared.DailyLoad():
            return _daily(part, faults)
        case declared.StepsLoad():
            return plan.Steps(tuple(plan.RateStep(one.rate, one.duration) for one in part.steps))
        case declared.ReplayLoad():
            return _replay(part, directory, faults)


def _ramp(part: declared.RampLoad, duration_ms: int | None, faults: Faults) -> plan.Ramp:
    """Thirds up, hold and down; what does not divide goes to the middle one."""
    length = part.ramp_duration or duration_ms
    if length is None:
        faults.at(part.place, "rampDuration is missing, and the test has no duration: give one of them")
        length = 0
    third = length // 3
    return plan.Ramp(start=part.min, to=part.max, over_ms=third, hold_ms=length - 2 * third, back_ms=third)


def _daily(part: declared.DailyLoad, faults: Faults) -> plan.Daily:
    shares = (
        part.morning_ramp_ratio,
        part.peak_sustain_ratio,
        part.mid_decline_ratio,
        part.mid_sustain_ratio,
        part.evening_decline_ratio,
    )
    if sum(shares) > 1 + 1e-9:
        faults.at(part.place, f"the ratios add up to {sum(shares):g}: at most 1 is allowed, the rest is night")
    if not part.min <= part.mid <= part.max:
        faults.at(part.place, f"min, mid and max must not fall: they are {part.min:g}, {part.mid:g} and {part.max:g}")
    return plan.Daily(part.min, part.mid, part.max, part.cycle_duration, *shares)


def _replay(part: declared.ReplayLoad, directory: Path | None, faults: Faults) -> plan.Replay:
    rates = part.rates
    if bool(rates) == bool(part.path):
        faults.at(part.place, "give the recorded rates as rates, or the path of a file with them: one of both")
    elif part.path:
        try:
            rates = read_rates(beside(part.path, directory))
        except InputError as error:
            faults.at(part.place.below("path"), str(error))
    return plan.Replay(part.interval, rates, part.repeat)


def beside(path: str, directory: Path | None) -> Path:
    """The file that a scenario names. Raises `InputError` where files may not be named."""
    if directory is None:
        raise InputError("no file can be named here: this scenario did not come from one")
    if len(path) > MOST_NAME:
        raise InputError(f"the name of a file has {len(path):,} characters: at most {MOST_NAME} are allowed")
    return directory / path
