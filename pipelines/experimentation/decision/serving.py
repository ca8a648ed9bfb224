"""The seam to serving: how much traffic each variant of the endpoint gets."""

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from pipelines.experimentation.errors import ExperimentError

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


class ServingWeights(Protocol):
    """Shares of traffic by variant, adding up to 1."""

    def read(self) -> dict[str, float]:
        """The shares in force."""
        ...

    def apply(self, shares: Mapping[str, float]) -> None:
        """Put `shares` in force and return once they are. Raises ExperimentError for shares that are not."""
        ...


def checked(shares: Mapping[str, float], known: Mapping[str, float]) -> dict[str, float]:
    """`shares` as a dictionary; ExperimentError unless they add up to 1 and name exactly the variants there are."""
    if set(shares) != set(known):
        raise ExperimentError(f"shares must name every variant: got {sorted(shares)}, the endpoint has {sorted(known)}")
    values = list(shares.values())
    if not all(math.isfinite(value) and value >= 0 for value in values) or abs(math.fsum(values) - 1) > 1e-9:
        raise ExperimentError(f"shares must not be negative and must add up to 1, got {dict(shares)}")
    return dict(shares)


class InMemoryServingWeights:
    """Shares in this process, with every change kept in `history`."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self.history = [checked(shares, shares)]

    def read(self) -> dict[str, float]:
        """The shares in force."""
        return dict(self.history[-1])

    def apply(self, shares: Mapping[str, float]) -> None:
        """Put `shares` in force."""
        self.history.append(checked(shares, self.history[-1]))


class SageMakerServingWeights:
    """A SageMaker endpoint's production variants, by UpdateEndpointWeightsAndCapacities.

    SageMaker divides each weight by their sum; here they are written as shares. `timeout` bounds the wait in seconds.
    """

    def __init__(
        self,
        client: "SageMakerClient",
        endpoint: str,
        timeout: float = 900,
        poll: float = 5,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._endpoint = client, endpoint
        self._timeout, self._poll, self._sleep, self._clock = timeout, poll, sleep, clock

    def read(self) -> dict[str, float]:
        """The shares in force, from the variants' current weights."""
        variants = self._client.describe_endpoint(EndpointName=self._endpoint).get("ProductionVariants", [])
        weights = {variant["VariantName"]: variant.get("CurrentWeight", 0.0) for variant in variants}
        total = math.fsum(weights.values())
        if total <= 0:
            raise ExperimentError(f"endpoint {self._endpoint} has no variant with traffic: {weights}")
        return {name: weight / total for name, weight in weights.items()}

    def apply(self, shares: Mapping[str, float]) -> None:
        """Update the weights and wait until the endpoint is in service with them."""
        wanted = checked(shares, self.read())
        self._client.update_endpoint_weights_and_capacities(
            EndpointName=self._endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": n, "DesiredWeight": share} for n, share in wanted.items()],
        )
        deadline = self._clock() + self._timeout
        while self._client.describe_endpoint(EndpointName=self._endpoint)["EndpointStatus"] != "InService":
            if self._clock() >= deadline:
                raise ExperimentError(f"endpoint {self._endpoint} did not return to service in {self._timeout:g} s")
            self._sleep(self._poll)
        found = self.read()
        # Weights travel as 32-bit floats.
        if any(abs(found[name] - share) > 1e-6 for name, share in wanted.items()):
            raise ExperimentError(f"endpoint {self._endpoint} serves {found}, wanted {wanted}: the update was undone")
