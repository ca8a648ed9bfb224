"""How traffic moves from the old fleet to the new one: pure plans from a DeploymentConfig."""

from dataclasses import dataclass, field

from infra.local.backends.members import Document, rows, section


class RolloutError(ValueError):
    """A deployment configuration that cannot be followed; the text says which member and what is allowed."""


@dataclass(frozen=True)
class Step:
    """`share` of traffic (0 to 1) on the new fleet for `bake` seconds while alarms are watched."""

    share: float
    bake: float


@dataclass(frozen=True)
class Plan:
    """Steps in order, then `termination_wait` seconds before the old fleet goes. `alarms` call it off."""

    steps: tuple[Step, ...] = (Step(1.0, 0.0),)
    termination_wait: float = 0.0
    timeout: float = 28800.0
    alarms: tuple[str, ...] = field(default=())


def plan(config: Document | None, instances: int) -> Plan:
    """The plan of a DeploymentConfig; all at once when there is none. `instances` is the new fleet's size.

    Raises:
        RolloutError: a rolling update, or a size that is out of range.
    """
    if not config:
        return Plan()
    if config.get("RollingUpdatePolicy"):
        raise RolloutError(
            "DeploymentConfig.RollingUpdatePolicy is not written for the embedded AWS: use BlueGreenUpdatePolicy."
        )
    blue_green = section(config, "BlueGreenUpdatePolicy")
    alarms = tuple(alarm["AlarmName"] for alarm in rows(section(config, "AutoRollbackConfiguration"), "Alarms"))
    return Plan(
        steps=_steps(section(blue_green, "TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE"}, instances),
        termination_wait=float(blue_green.get("TerminationWaitInSeconds", 0)),
        timeout=float(blue_green.get("MaximumExecutionTimeoutInSeconds", 28800)),
        alarms=alarms,
    )


def _steps(routing: Document, instances: int) -> tuple[Step, ...]:
    bake = float(routing.get("WaitIntervalInSeconds", 0))
    kind = routing["Type"]
    if kind == "ALL_AT_ONCE":
        return (Step(1.0, bake),)
    if kind == "CANARY":
        return (Step(_share(routing, "CanarySize", instances, 0.5), bake), Step(1.0, bake))
    if kind == "LINEAR":
        size = _share(routing, "LinearStepSize", instances, 0.5)
        if size < 0.1:
            raise RolloutError(f"LinearStepSize must be at least 10 % of capacity, got {size:.0%}.")
        count = -(-1.0 // size)
        return tuple(Step(min(1.0, size * (index + 1)), bake) for index in range(int(count)))
    raise RolloutError(f"TrafficRoutingConfiguration.Type must be ALL_AT_ONCE, CANARY or LINEAR, got {kind}.")


def _share(routing: Document, member: str, instances: int, most: float) -> float:
    size = routing.get(member)
    if not size:
        raise RolloutError(f"TrafficRoutingConfiguration.{member} is required for {routing['Type']}.")
    value = size["Value"]
    share = value / 100 if size["Type"] == "CAPACITY_PERCENT" else value / max(1, instances)
    if not 0 < share <= 1 or (share > most and instances > 1):
        raise RolloutError(
            f"{member} must be above 0 and at most {most:.0%} of the new fleet's {instances} instances, "
            f"got {share:.0%}."
        )
    return share


def retained(new: Document, live: Document | None, *, retain: bool, excluded: frozenset[str]) -> tuple[float, int]:
    """Weight and instance count that a new variant starts with.

    The live variant's when properties are retained and the variant of the same name is live, except for property
    types in `excluded` (`DesiredWeight`, `DesiredInstanceCount`); the configuration's otherwise.
    """
    weight, count = float(new.get("InitialVariantWeight", 1.0)), int(new["InitialInstanceCount"])
    if retain and live is not None:
        if "DesiredWeight" not in excluded:
            weight = live["CurrentWeight"]
        if "DesiredInstanceCount" not in excluded:
            count = live["CurrentInstanceCount"]
    return weight, count
