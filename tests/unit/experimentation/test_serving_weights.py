from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from types_boto3_sagemaker import SageMakerClient

from pipelines.experimentation.decision.serving import InMemoryServingWeights, NotInForceError, SageMakerServingWeights
from pipelines.experimentation.errors import ExperimentError

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e"
QUARTER = {"v1": 0.75, "v2": 0.25}


class Endpoint:
    """Answers of SageMaker in this order; botocore checks every parameter, and nothing may be left over or missing."""

    def __init__(self, timeout: float = 2, names: dict[str, str] | None = None) -> None:
        session = boto3.Session("x", "x", region_name="eu-west-1")
        client: SageMakerClient = session.client("sagemaker")  # pyright: ignore[reportUnknownMemberType]: boto3's overloads
        self.stubber = Stubber(client)
        self.stubber.activate()
        self._names = names or {}
        ticks: Iterator[float] = iter(range(1000))
        self.weights = SageMakerServingWeights(
            client, "e", names, timeout=timeout, sleep=lambda _: None, clock=lambda: next(ticks)
        )

    def described(self, status: str, share: float, times: int = 1) -> "Endpoint":
        weights = {"v1": 2 * (1 - share), "v2": 2 * share}
        variants = [{"VariantName": self._names.get(n, n), "CurrentWeight": w} for n, w in weights.items()]
        answer: dict[str, Any] = {"EndpointName": "e", "EndpointArn": ARN, "EndpointStatus": status}
        answer |= {"CreationTime": 0, "LastModifiedTime": 0, "ProductionVariants": variants}
        for _ in range(times):
            self.stubber.add_response("describe_endpoint", answer, {"EndpointName": "e"})
        return self

    def updated(self, shares: dict[str, float]) -> "Endpoint":
        wanted = [{"VariantName": self._names.get(n, n), "DesiredWeight": share} for n, share in shares.items()]
        parameters = {"EndpointName": "e", "DesiredWeightsAndCapacities": wanted}
        self.stubber.add_response("update_endpoint_weights_and_capacities", {"EndpointArn": ARN}, parameters)
        return self


@pytest.mark.parametrize("shares", [{"v1": 0.5}, {"v1": 0.7, "v2": 0.7}, {"v1": 1.1, "v2": -0.1}, {"v1": 1, "v3": 0}])
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ExperimentError, match="shares must"):
        InMemoryServingWeights({"v1": 1.0, "v2": 0.0}).apply(shares)
    with pytest.raises(ExperimentError, match="shares must"):
        Endpoint().described("InService", 0.0).weights.apply(shares)


def test_weights_are_read_as_shares_of_their_sum() -> None:
    assert Endpoint().described("InService", 0.25).weights.read() == QUARTER


def test_sagemaker_weights_are_written_and_waited_for() -> None:
    endpoint = Endpoint().described("InService", 0.0).updated(QUARTER)
    endpoint.described("Updating", 0.0).described("InService", 0.25)
    endpoint.weights.apply(QUARTER)
    endpoint.stubber.assert_no_pending_responses()


def test_weights_in_force_are_left_as_they_are() -> None:
    endpoint = Endpoint().described("InService", 0.25)
    endpoint.weights.apply(QUARTER)
    endpoint.stubber.assert_no_pending_responses()


def test_an_update_under_way_is_waited_for_before_the_next() -> None:
    endpoint = Endpoint(timeout=5).described("Updating", 0.0, times=2).described("InService", 0.5).updated(QUARTER)
    endpoint.described("InService", 0.25)
    endpoint.weights.apply(QUARTER)
    endpoint.stubber.assert_no_pending_responses()


def test_variants_with_other_names_on_the_endpoint_are_told_by_the_declared_ones() -> None:
    endpoint = Endpoint(names={"v2": "challenger"}).described("InService", 0.0).updated(QUARTER)
    endpoint.described("InService", 0.25, times=2)
    endpoint.weights.apply(QUARTER)
    assert endpoint.weights.read() == QUARTER


def test_an_update_that_was_undone_is_an_error() -> None:
    endpoint = Endpoint().described("InService", 0.0).updated(QUARTER).described("InService", 0.0)
    with pytest.raises(ExperimentError, match="the update was undone"):
        endpoint.weights.apply(QUARTER)


def test_an_update_that_takes_longer_may_be_waited_for_again() -> None:
    endpoint = Endpoint().described("InService", 0.0).updated(QUARTER).described("Updating", 0.0, times=3)
    with pytest.raises(NotInForceError, match="did not return to service in 2 s: it is Updating"):
        endpoint.weights.apply(QUARTER)


def test_what_sagemaker_refuses_is_said_with_its_own_words() -> None:
    endpoint = Endpoint()
    endpoint.stubber.add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint e")
    with pytest.raises(ExperimentError, match="endpoint e: ValidationException: Could not find endpoint e"):
        endpoint.weights.read()


def test_an_endpoint_without_any_traffic_has_no_shares() -> None:
    endpoint = Endpoint()
    answer = {"EndpointName": "e", "EndpointArn": ARN, "EndpointStatus": "InService"}
    endpoint.stubber.add_response("describe_endpoint", {**answer, "CreationTime": 0, "LastModifiedTime": 0})
    with pytest.raises(ExperimentError, match="no variant with traffic"):
        endpoint.weights.read()
