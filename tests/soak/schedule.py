"""What the soak does and when, from a seed: the same seed gives the same runs and the same faults."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from local.kubectl import Object
from tests.support.e2e.manifests import QUICK, job_run

SCRIPT = "s3://demo/soak/soak.py"


@dataclass(frozen=True)
class Kind:
    """A sort of runs."""

    name: str
    share: int
    """How many of 200 runs are of it."""
    arguments: tuple[str, ...]
    ends: frozenset[str]
    """The states it may end in."""
    conf: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)
    """More fields of the JobRun's specification."""
    deleted_after: float | None = None
    """It is deleted at a random moment within so many seconds of its submission."""

    @property
    def may_be_warm(self) -> bool:
        """Whether pre-initialized workers can take it."""
        return not self.conf


_TWO = {f"spark.dynamicAllocation.{most}Executors": "2" for most in ("max", "initial")}
_SUCCESS, _FAILED, _CANCELLED = frozenset({"SUCCESS"}), frozenset({"FAILED"}), frozenset({"CANCELLED"})

KINDS = (
    # Whatever the pool has: driver and executor may be warm or cold.
    Kind("warm", 20, ("add", "4", "1"), _SUCCESS),
    # No warm worker takes these options.
    Kind("cold", 12, ("add", "8", "1"), _SUCCESS, {**QUICK, **_TWO}),
    Kind("raises", 16, ("raise",), _FAILED),
    Kind("exits", 44, ("exit", "3"), _FAILED, QUICK),
    Kind("leaves", 60, ("exit", "0"), _SUCCESS, QUICK),
    # Deleted before, while or after it starts: by then it may have ended, but never otherwise than well.
    Kind("deleted", 34, ("sleep", "10"), _SUCCESS | _CANCELLED, QUICK, deleted_after=20.0),
    Kind("timed-out", 14, ("sleep", "600"), _CANCELLED, QUICK, {"executionTimeoutMinutes": 1}),
)

# Two cores cannot work off runs all the time and have a pool, which gets what runs leave: so they come in waves.
WAVES = 8
EARLY, LATE = (0.0, 0.35), (0.35, 0.55)
"""The parts of a wave in which the runs that may be warm come, and all the others."""


class Fault(StrEnum):
    """What is killed, without any grace."""

    OPERATOR = "operator"
    EXECUTOR = "executor"
    WARM = "warm pod"


FAULTS = {Fault.OPERATOR: 4, Fault.EXECUTOR: 10, Fault.WARM: 8}


@dataclass(frozen=True, order=True)
class Action:
    """One step of the schedule: exactly one of the three is there."""

    at: float
    """Seconds since its wave began."""
    submit: str = ""
    delete: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Schedule:
    """The steps of each wave in their order, and the kind of each run."""

    waves: list[list[Action]]
    kinds: dict[str, Kind]


def make(seed: int, runs: int, seconds: float) -> Schedule:
    """Spread that many runs over waves that take so many seconds, and the faults at random moments."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    whole = sum(kind.share for kind in KINDS)
    drawn = [kind for kind in KINDS for _ in range(max(1, round(kind.share * runs / whole)))][:runs]
    chance.shuffle(drawn)
    kinds = dict[str, Kind]()
    waves, length = [list[Action]() for _ in range(WAVES)], seconds / WAVES
    for number, kind in enumerate(drawn):
        wave, name = waves[number * WAVES // len(drawn)], f"soak-{number:03}-{kind.name}"
        at = chance.uniform(*(EARLY if kind.may_be_warm else LATE)) * length
        kinds[name] = kind
        wave.append(Action(at, submit=name))
        if kind.deleted_after is not None:
            wave.append(Action(at + chance.uniform(0, kind.deleted_after), delete=name))
    for fault, count in FAULTS.items():
        for _ in range(max(1, round(count * seconds / 1200))):
            chance.choice(waves).append(Action(chance.uniform(0, 1) * length, fault=fault))
    return Schedule([sorted(wave) for wave in waves], kinds)


def manifest(name: str, kind: Kind, application: str, marks: str) -> Object:
    """The JobRun of one run."""
    made = job_run(name, SCRIPT, (f"{marks}/{name}", *kind.arguments), application=application, conf=kind.conf)
    made["spec"].update(kind.fields)
    return made
