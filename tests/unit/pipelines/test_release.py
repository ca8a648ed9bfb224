from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines import aws as clients
from pipelines.errors import PipelineError
from pipelines.serving import release, rollout
from pipelines.serving.release import platform_serving
from stacks.outputs import PlatformOutputs, Release, ReleasedModel

ONE = ReleasedModel(version="1", image_uri="image:1", model_data_url="s3://mlp-test-artifacts/one/model.tar.gz")
TWO = ReleasedModel(version="2", image_uri="image:1", model_data_url="s3://mlp-test-artifacts/two/model.tar.gz")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000"


@pytest.mark.usefixtures("aws")
def test_a_release_is_written_once_and_read_back(outputs: PlatformOutputs) -> None:
    serving = platform_serving(outputs)
    wanted = Release(models={"main": ONE})
    assert release.read(serving) is None
    assert release.publish(serving, wanted)
    assert not release.publish(serving, wanted)
    assert release.read(serving) == wanted
    assert clients.ssm().get_parameter(Name=serving.release_parameter)["Parameter"].get("Version") == 1


def test_a_new_model_takes_the_first_variant_and_leaves_the_others(outputs: PlatformOutputs) -> None:
    serving = platform_serving(outputs)
    first = release.replace(serving, None, ONE)
    both = release.replace(serving, first, TWO, "challenger")
    assert first.models == {"main": ONE}
    assert both.models == {"main": ONE, "challenger": TWO}
    assert release.replace(serving, both, TWO).models == {"main": TWO, "challenger": TWO}


def test_a_variant_that_is_not_declared_any_more_is_left_out(outputs: PlatformOutputs) -> None:
    published = Release(models={"gone": ONE, "main": ONE})
    assert set(release.replace(platform_serving(outputs), published, TWO).models) == {"main"}


def test_an_unknown_variant_names_those_declared(outputs: PlatformOutputs) -> None:
    with pytest.raises(PipelineError, match=r"no variant blue .* declares main, challenger"):
        release.replace(platform_serving(outputs), None, ONE, "blue")


def _problems(operation: str, document: dict[str, Any]) -> str:
    model: Any = botocore.session.get_session().get_service_model("sagemaker")
    return ParamValidator().validate(document, model.operation_model(operation).input_shape).generate_report()


def test_requests_are_ones_that_sagemaker_knows(outputs: PlatformOutputs) -> None:
    both = Release(models={"main": ONE, "challenger": TWO})
    update = {
        "EndpointName": "e",
        "EndpointConfigName": "c",
        "DeploymentConfig": rollout.deployment(platform_serving(outputs)),
    }
    assert _problems("CreateModel", rollout.model_request(outputs, ONE)) == ""
    assert _problems("CreateEndpointConfig", rollout.configuration_request(outputs, both, KEY)) == ""
    assert _problems("UpdateEndpoint", update) == ""


def test_names_follow_content(outputs: PlatformOutputs) -> None:
    def name(models: dict[str, ReleasedModel], key: str | None = KEY) -> str:
        return str(rollout.configuration_request(outputs, Release(models=models), key)["EndpointConfigName"])

    assert name({"main": ONE}) == name({"main": ONE})
    assert len({name({"main": ONE}), name({"main": TWO}), name({"main": ONE, "challenger": ONE})}) == 3
    assert len({rollout.model_request(outputs, each)["ModelName"] for each in (ONE, TWO)}) == 2


def test_a_variant_without_a_model_takes_no_part(outputs: PlatformOutputs) -> None:
    variants = rollout.configuration_request(outputs, Release(models={"main": ONE}), None)["ProductionVariants"]
    assert [each["VariantName"] for each in variants] == ["main"]


def test_a_rollout_is_a_canary_that_alarms_roll_back(outputs: PlatformOutputs) -> None:
    document = rollout.deployment(platform_serving(outputs))
    routing = document["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing == {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
        "WaitIntervalInSeconds": 60,
    }
    assert document["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}]}
