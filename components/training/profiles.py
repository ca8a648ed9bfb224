"""Hardware choices for training jobs and their limits."""

from collections.abc import Iterator, Mapping
from typing import NotRequired, TypedDict

LONGEST_RUN = 28 * 24 * 3600
"""Seconds a training job may run: SageMaker quotas, 28 days."""
LARGEST_VOLUME = 16384
"""GiB of a training volume: the largest EBS gp2 volume."""


class ProfileArgs(TypedDict):
    """A named choice of hardware."""

    instance_type: str
    """SageMaker instance type, as `ml.m5.xlarge`."""
    instance_count: NotRequired[int]
    """Instances of a job; one when left out."""
    volume_gib: NotRequired[int]
    """Storage of each instance in GiB; 30 when left out."""
    max_runtime_seconds: NotRequired[int]
    """Seconds a job may run; an hour when left out."""
    max_wait_seconds: NotRequired[int]
    """Seconds to wait for spot capacity and finish, at least the runtime; on demand when left out."""


class Profile(TypedDict):
    """A profile with its defaults filled in."""

    instance_type: str
    instance_count: int
    volume_gib: int
    max_runtime_seconds: int
    max_wait_seconds: int | None


def complete(profile: ProfileArgs) -> Profile:
    """The profile with its defaults."""
    return {
        "instance_type": profile["instance_type"],
        "instance_count": profile.get("instance_count", 1),
        "volume_gib": profile.get("volume_gib", 30),
        "max_runtime_seconds": profile.get("max_runtime_seconds", 3600),
        "max_wait_seconds": profile.get("max_wait_seconds"),
    }


def problems(profiles: Mapping[str, ProfileArgs]) -> Iterator[tuple[str, str]]:
    """What is wrong with `profiles`: property path and reason."""
    if "default" not in profiles:
        names = ", ".join(sorted(profiles)) or "none"
        yield "profiles", f"must hold a profile named default, got {names}"
    for name, args in profiles.items():
        profile, path = complete(args), f"profiles.{name}"
        if not profile["instance_type"].startswith("ml."):
            yield (
                f"{path}.instance_type",
                f"must be a SageMaker type, as ml.m5.xlarge, got {profile['instance_type']!r}",
            )
        yield from _outside(profile["instance_count"], 1, 100, f"{path}.instance_count")
        yield from _outside(profile["volume_gib"], 1, LARGEST_VOLUME, f"{path}.volume_gib")
        yield from _outside(profile["max_runtime_seconds"], 60, LONGEST_RUN, f"{path}.max_runtime_seconds")
        wait = profile["max_wait_seconds"]
        if wait is not None and wait < profile["max_runtime_seconds"]:
            runtime = profile["max_runtime_seconds"]
            yield (
                f"{path}.max_wait_seconds",
                f"must be at least max_runtime_seconds ({runtime}), got {wait}; leave it out to buy on demand",
            )


def _outside(value: int, low: int, high: int, path: str) -> Iterator[tuple[str, str]]:
    if not low <= value <= high:
        yield path, f"must be between {low} and {high}, got {value}; leave it out for the default"
