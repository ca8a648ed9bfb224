"""The seam to serving: how much traffic each variant of the endpoint gets."""

import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.experimentation.errors import ExperimentError

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker.type_defs import DescribeEndpointOutputTypeDef

ROUNDING = 1e-6


class ServingWeights(Protocol):
    """Shares of traffic by variant, adding up to 1."""

    def read(self) -> dict[str, float]:
        """The shares in force."""
        ...

    def apply(self, shares: Mapping[str, float]) -> None:
        """Put `shares` in force and return once they are; repeating it is safe.

        Raises ExperimentError for shares that are none, and when they are not known to be in force.
        """
        ...


def checked(shares: Mapping[str, float], known: Mapping[str, float]) -> dict[str, float]:
    """`shares` as a dictionary; ExperimentError unless they add up to 1 and name exactly the variants there are."""
    if set(shares) != set(known):
        raise ExperimentError(f"shares must name every variant: got {sorted(shares)}, the endpoint has {sorted(known)}")
    values = list(shares.values())
    if not all(math.isfinite(value) and value >= 0 for value in values) or abs(math.fsum(values) - 1) > 1e-9:
        raise ExperimentError(f"shares must not be negative and must add up to 1, got {dict(shares)}")
    return dict(shares)


def same(found: Mapping[str, float], shares: Mapping[str, float]) -> bool:
    """Whether the shares found are these; weights travel as 32-bit floats."""
    return set(found) == set(shares) and all(abs(found[name] - share) <= ROUNDING for name, share in shares.items())


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


class NotInForceError(ExperimentError):
    """The shares were asked for and are not in force yet; apply them again to wait on."""


class SageMakerServingWeights:
    """A SageMaker endpoint's production variants, by UpdateEndpointWeightsAndCapacities.

    SageMaker divides each weight by their sum; here they are written as shares. `names` gives the production variant of
    a variant where it is called otherwise. `timeout` bounds the wait in seconds. Every refusal is an ExperimentError.
    """

    def __init__(
        self,
        client: "SageMakerClient",
        endpoint: str,
        names: Mapping[str, str] | None = None,
        timeout: float = 900,
        poll: float = 5,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._endpoint, self._names = client, endpoint, dict(names or {})
        self._timeout, self._poll, self._sleep, self._clock = timeout, poll, sleep, clock

    def read(self) -> dict[str, float]:
        """The shares in force, from the variants' current weights."""
        return self._shares(self._describe())

    def apply(self, shares: Mapping[str, float]) -> None:
        """Update the weights and wait until the endpoint is in service with them.

        Safe to repeat: shares in force are left as they are, and an update under way is waited for. Raises
        NotInForceError when `timeout` is over first.
        """
        deadline = self._clock() + self._timeout
        before = self._shares(self._settled(deadline))
        wanted = checked(shares, before)
        if same(before, wanted):
            return
        desired = [{"VariantName": self._names.get(n, n), "DesiredWeight": share} for n, share in wanted.items()]
        with self._speaking():
            self._client.update_endpoint_weights_and_capacities(
                EndpointName=self._endpoint,
                DesiredWeightsAndCapacities=desired,  # pyright: ignore[reportArgumentType]: a list of its own TypedDict
            )
        found = self._shares(self._settled(deadline))
        if not same(found, wanted):
            raise ExperimentError(f"endpoint {self._endpoint} serves {found}, wanted {wanted}: the update was undone")

    def _settled(self, deadline: float) -> "DescribeEndpointOutputTypeDef":
        while (found := self._describe())["EndpointStatus"] != "InService":
            if self._clock() >= deadline:
                status = found["EndpointStatus"]
                raise NotInForceError(
                    f"endpoint {self._endpoint} did not return to service in {self._timeout:g} s: it is {status}"
                )
            self._sleep(self._poll)
        return found

    def _describe(self) -> "DescribeEndpointOutputTypeDef":
        with self._speaking():
            return self._client.describe_endpoint(EndpointName=self._endpoint)

    def _shares(self, found: "DescribeEndpointOutputTypeDef") -> dict[str, float]:
        declared = {production: name for name, production in self._names.items()}
        weights = {
            declared.get(variant["VariantName"], variant["VariantName"]): variant.get("CurrentWeight", 0.0)
            for variant in found.get("ProductionVariants", [])
        }
        total = math.fsum(weights.values())
        if total <= 0:
            raise ExperimentError(f"endpoint {self._endpoint} has no variant with traffic: {weights}")
        return {name: weight / total for name, weight in weights.items()}

    @contextmanager
    def _speaking(self) -> Generator[None]:
        try:
            yield
        except ClientError as error:
            said = error.response.get("Error", {})
            raise ExperimentError(f"endpoint {self._endpoint}: {said.get('Code')}: {said.get('Message')}") from error
        except BotoCoreError as error:
            raise ExperimentError(f"endpoint {self._endpoint}: SageMaker did not answer: {error}") from error
