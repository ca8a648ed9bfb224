"""The spine on a deployed platform, with a workload that the platform has never heard of.

One deployment serves all tests of this file; each leaves the endpoint in service and may run first or alone.
"""

from dataclasses import replace

import pandas as pd
import pytest
from botocore.exceptions import ClientError

from pipelines import aws as clients
from pipelines import spine
from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.report import SpineReport
from pipelines.serving import endpoint, invoke
from pipelines.serving.release import platform_serving
from pipelines.serving.rollout import RolloutError
from pipelines.training.run import TrainingError
from tests.e2e.conftest import Deployment
from tests.support.toy import Toy

pytestmark = [pytest.mark.local, pytest.mark.xdist_group("platform")]
Told = tuple[list[str], Progress]


def _run(deployment: Deployment, toy: Toy, told: Told) -> SpineReport:
    return spine.run("local", toy, deploy=deployment.up, progress=told[1])


def _serving(deployment: Deployment, told: Told) -> str:
    """The endpoint's name; it serves some toy model."""
    name = platform_serving(deployment.outputs).endpoint
    if endpoint.describe(name) is None:
        _run(deployment, Toy(), told)
    endpoint.in_service(name)
    return name


def test_a_workload_is_trained_registered_released_and_answers(deployment: Deployment, told: Told) -> None:
    report = _run(deployment, Toy(), told)
    assert report.rows == 40
    assert report.quality["model"].roc_auc > 0.85
    assert set(report.quality) == {"model", "always_x"}
    assert report.largest_difference < 1e-6
    assert [each.requests for each in report.latency] == [40]
    assert report.latency[0].p50_ms <= report.latency[0].p99_ms
    for said in (report.training_job, report.endpoint, "calibration error", "always x", "p99"):
        assert said in report.render()


def test_a_second_run_does_nothing_again(deployment: Deployment, told: Told) -> None:
    first = _run(deployment, Toy(), told)
    toy = Toy()
    second = _run(deployment, toy, told)
    assert [second.trained, second.registered, second.released] == [False, False, False]
    assert toy.computed == []
    assert (second.training_job, second.model_version) == (first.training_job, first.model_version)
    assert second.quality == first.quality


def test_another_model_is_rolled_out_the_one_before_deleted_and_up_leaves_it_alone(
    deployment: Deployment, told: Told
) -> None:
    _serving(deployment, told)
    serving = platform_serving(deployment.outputs)
    before = endpoint.in_service(serving.endpoint)["EndpointConfigName"]
    report = _run(deployment, Toy(strength="0.01"), told)
    live = endpoint.in_service(serving.endpoint)["EndpointConfigName"]
    assert report.released
    assert live != before
    assert report.training_job in str(endpoint.models(live))
    assert len(clients.sagemaker().list_endpoint_configs(NameContains="-release-")["EndpointConfigs"]) == 1
    deployment.up()
    assert endpoint.in_service(serving.endpoint)["EndpointConfigName"] == live


def test_a_script_that_raises_fails_with_its_reason_and_log(deployment: Deployment, told: Told) -> None:
    with pytest.raises(TrainingError, match="the script fails because it was asked to") as failure:
        _run(deployment, Toy(behaviour="raise"), told)
    assert "its last lines:" in str(failure.value)


def test_a_model_that_is_not_good_enough_is_rejected_and_not_released(deployment: Deployment, told: Told) -> None:
    _serving(deployment, told)
    with pytest.raises(spine.GateError, match=r"ROC AUC is .*, wanted is 2.0"):
        _run(deployment, replace(Toy(strength="0.5"), least_roc_auc=2.0), told)
    group = deployment.outputs.registry.model_package_group if deployment.outputs.registry else ""
    packages = clients.sagemaker().list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert "Rejected" in {each.get("ModelApprovalStatus") for each in packages}
    assert endpoint.in_service(platform_serving(deployment.outputs).endpoint)


def test_a_model_that_cannot_load_is_reported_and_the_old_one_serves_on(deployment: Deployment, told: Told) -> None:
    name = _serving(deployment, told)
    with pytest.raises(RolloutError, match="was not rolled out"):
        _run(deployment, Toy(behaviour="unloadable"), told)
    rows = pd.DataFrame({"x": [0.1], "y": [0.9]})
    assert invoke.predict(name, rows).rows[0][1] > 0.5


def test_requests_that_do_not_fit_are_refused_as_the_callers_fault(deployment: Deployment, told: Told) -> None:
    name = _serving(deployment, told)
    with pytest.raises(PipelineError, match="row 1 has 1 values, expected 2: x, y"):
        invoke.predict(name, pd.DataFrame({"x": [1.0]}))
    with pytest.raises(ClientError) as refusal:
        clients.sagemaker_runtime(connections=1).invoke_endpoint(
            EndpointName=name, ContentType="text/csv", Body=b"0.1,0.2\n" * 1_000_000
        )
    assert refusal.value.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 500
