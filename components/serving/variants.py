"""Production variants: what they are, what can be wrong with them, and which take part. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict

MOST_VARIANTS = 10
"""Production variants of an endpoint: SageMaker quotas."""


class ScalingArgs(TypedDict):
    """How a variant grows and shrinks."""

    min_instances: int
    """Fewest instances."""
    max_instances: int
    """Most instances."""
    invocations_per_instance: int
    """Requests per instance and minute to aim at."""


class VariantArgs(TypedDict):
    """A production variant."""

    name: str
    """Its name, unique in the endpoint."""
    weight: int
    """Share of requests in percent; all weights sum to 100."""
    instance_type: NotRequired[str]
    """SageMaker instance type; `ml.m5.large` when left out."""
    instance_count: NotRequired[int]
    """Instances at the start; two when left out."""
    scaling: NotRequired[ScalingArgs]
    """How it grows and shrinks; it keeps its instance count when left out."""


class ModelArgs(TypedDict):
    """A model to serve."""

    image_uri: str
    """Container image."""
    model_data_url: str
    """`s3://` address of the model archive."""


def instance_type(variant: VariantArgs) -> str:
    """The variant's instance type, or the default."""
    return variant.get("instance_type", "ml.m5.large")


def instance_count(variant: VariantArgs) -> int:
    """The variant's instances at the start, or the default."""
    return variant.get("instance_count", 2)


def taking_part(variants: Sequence[VariantArgs], models: Mapping[str, ModelArgs]) -> list[VariantArgs]:
    """Variants that have a model, in their order. The others wait for one."""
    return [variant for variant in variants if variant["name"] in models]


def problems(variants: Sequence[VariantArgs], models: Mapping[str, ModelArgs]) -> Iterator[tuple[str, str]]:
    """What is wrong: property path and reason."""
    if not 1 <= len(variants) <= MOST_VARIANTS:
        yield "variants", f"must be 1 to {MOST_VARIANTS}, got {len(variants)}"
    total = sum(variant["weight"] for variant in variants)
    if total != 100:
        yield "variants", f"weights must sum to 100, got {total}"
    names = [variant["name"] for variant in variants]
    if len(set(names)) != len(names):
        yield "variants", f"names must be different from each other, got {', '.join(names)}"
    for index, variant in enumerate(variants):
        yield from _variant_problems(f"variants[{index}]", variant)
    for name in sorted(set(models) - set(names)):
        yield f"models.{name}", f"belongs to no variant; variants are {', '.join(names)}"


def _variant_problems(path: str, variant: VariantArgs) -> Iterator[tuple[str, str]]:
    if not 0 <= variant["weight"] <= 100:
        yield f"{path}.weight", f"must be between 0 and 100 percent, got {variant['weight']}"
    scaling, count = variant.get("scaling"), instance_count(variant)
    if count < 1:
        yield f"{path}.instance_count", f"must be at least 1, got {count}; leave it out for two"
    if scaling is not None and not scaling["min_instances"] <= count <= scaling["max_instances"]:
        limits = f"{scaling['min_instances']} to {scaling['max_instances']}"
        yield f"{path}.instance_count", f"must be within the scaling of {limits}, got {count}"
