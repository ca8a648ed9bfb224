import io
import json
import tarfile
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from infra.local import server
from tests.local.cloud.conftest import ROLE, Cloud, until

pytestmark = pytest.mark.local


def model(cloud: Cloud, name: str, **content: Any) -> str:
    bucket = cloud.bucket("serving")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        document = json.dumps(content).encode()
        info = tarfile.TarInfo("model.json")
        info.size = len(document)
        tar.addfile(info, io.BytesIO(document))
    cloud.client("s3").put_object(Bucket=bucket, Key=f"{name}/model.tar.gz", Body=raw.getvalue())
    cloud.client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer={"Image": cloud.image(), "ModelDataUrl": f"s3://{bucket}/{name}/model.tar.gz"},
        ExecutionRoleArn=ROLE,
    )
    return name


def config(cloud: Cloud, name: str, weights: dict[str, float], **more: Any) -> str:
    """A configuration whose variants carry the names of their models."""
    variants = [
        {
            "VariantName": variant,
            "ModelName": variant,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": weight,
        }
        for variant, weight in weights.items()
    ]
    cloud.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **more)
    return name


def settled(cloud: Cloud, name: str, seconds: float = 30.0) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        endpoint = cloud.client("sagemaker").describe_endpoint(EndpointName=name)
        return endpoint if endpoint["EndpointStatus"] in ("InService", "Failed") else None

    return until(look, seconds, f"{name} to settle")


def endpoint(cloud: Cloud, name: str, weights: dict[str, float], **more: Any) -> None:
    config(cloud, f"{name}-1", weights, **more)
    cloud.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1")
    described = settled(cloud, name)
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")


def invoke(cloud: Cloud, name: str, body: bytes = b"1", **more: Any) -> dict[str, Any]:
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, Body=body, ContentType="text/csv", **more
    )
    return {**answer, "Body": answer["Body"].read()}


def processes(cloud: Cloud, part: str) -> list[psutil.Process]:
    return [psutil.Process(row.pid) for row in server.services(cloud.home) if part in row.name]


def test_an_endpoint_answers_with_its_model_and_names_the_variant(cloud: Cloud) -> None:
    model(cloud, "answers", mean=10)
    endpoint(cloud, "answers", {"answers": 1.0})

    answer = invoke(cloud, "answers", b"2.5", CustomAttributes="trace=7")

    assert (answer["Body"], answer["ContentType"], answer["InvokedProductionVariant"], answer["CustomAttributes"]) == (
        b"12.5",
        "text/csv",
        "answers",
        "trace=7",
    )


def metric(cloud: Cloud, name: str, endpoint_name: str, variant: str, statistic: str = "Sum") -> float:
    now = datetime.now(UTC)
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=[{"Name": "EndpointName", "Value": endpoint_name}, {"Name": "VariantName", "Value": variant}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=[statistic],
    )["Datapoints"]
    return sum(point[statistic] for point in points)


def refusal(act: Any) -> tuple[str, int, dict[str, Any]]:
    with pytest.raises(ClientError) as caught:
        act()
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response


def test_traffic_follows_weights_unless_a_variant_is_named_and_metrics_count_it(cloud: Cloud) -> None:
    model(cloud, "heavy", mean=0)
    model(cloud, "light", mean=100)
    endpoint(cloud, "weighted", {"heavy": 3.0, "light": 1.0})

    seen = Counter(invoke(cloud, "weighted")["InvokedProductionVariant"] for _ in range(200))
    named = {invoke(cloud, "weighted", TargetVariant="light")["Body"] for _ in range(5)}

    assert 110 <= seen["heavy"] <= 185, seen
    assert named == {b"101.0"}
    until(
        lambda: metric(cloud, "Invocations", "weighted", "light") == seen["light"] + 5,
        what="metrics of the light variant",
    )
    assert metric(cloud, "Invocations", "weighted", "heavy") == seen["heavy"]
    assert metric(cloud, "Invocation5XXErrors", "weighted", "heavy") == 0
    assert 0 < metric(cloud, "ModelLatency", "weighted", "heavy", "Average") < 1_000_000

    cloud.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="weighted",
        DesiredWeightsAndCapacities=[{"VariantName": "heavy", "DesiredWeight": 0, "DesiredInstanceCount": 2}],
    )
    assert {invoke(cloud, "weighted")["InvokedProductionVariant"] for _ in range(30)} == {"light"}
    variants = {
        item["VariantName"]: item
        for item in cloud.client("sagemaker").describe_endpoint(EndpointName="weighted")["ProductionVariants"]
    }
    assert (variants["heavy"]["CurrentWeight"], variants["heavy"]["CurrentInstanceCount"]) == (0.0, 2)


def test_bad_requests_are_the_callers_fault_and_say_so(cloud: Cloud) -> None:
    model(cloud, "strict", mean=0)
    endpoint(cloud, "strict", {"strict": 1.0})

    assert refusal(lambda: invoke(cloud, "nowhere"))[:2] == ("ValidationError", 400)
    assert refusal(lambda: invoke(cloud, "strict", TargetVariant="other"))[:2] == ("ValidationError", 400)
    assert refusal(lambda: invoke(cloud, "strict", b"0" * (6 * 1024 * 1024 + 1)))[:2] == ("ValidationError", 400)
    code, status, response = refusal(lambda: invoke(cloud, "strict", b"garbage"))
    assert (code, status, response["OriginalStatusCode"], response["OriginalMessage"]) == (
        "ModelError",
        424,
        400,
        "not a number",
    )
    code, status, response = refusal(lambda: invoke(cloud, "strict", b"fail"))
    assert (code, status, response["OriginalStatusCode"]) == ("ModelError", 424, 500)

    until(lambda: metric(cloud, "Invocation4XXErrors", "strict", "strict") == 1, what="the 4xx to be counted")
    assert metric(cloud, "Invocation5XXErrors", "strict", "strict") == 1
    assert invoke(cloud, "strict", b"1")["Body"] == b"1.0"


def test_a_killed_model_server_is_restarted_its_failures_counted_and_the_other_variant_unharmed(cloud: Cloud) -> None:
    model(cloud, "victim", mean=0)
    model(cloud, "bystander", mean=0)
    endpoint(cloud, "resilient", {"victim": 1.0, "bystander": 1.0})
    [process] = processes(cloud, "endpoint-resilient-victim")
    served: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    stop = threading.Event()

    def traffic(variant: str) -> None:
        while not stop.is_set():
            try:
                invoke(cloud, "resilient", TargetVariant=variant)
                served[variant] += 1
            except cloud.client("sagemaker-runtime").exceptions.ModelError:
                failures[variant] += 1

    threads = [threading.Thread(target=traffic, args=(name,)) for name in ("victim", "bystander")]
    for thread in threads:
        thread.start()
    until(lambda: served["victim"] and served["bystander"], what="traffic")
    process.kill()
    until(lambda: failures["victim"], what="a failure")
    until(
        lambda: [other for other in processes(cloud, "endpoint-resilient-victim") if other.pid != process.pid],
        what="a new process",
    )
    until(lambda: _answers(cloud, "resilient", "victim"), what="the variant to answer again")
    stop.set()
    for thread in threads:
        thread.join()

    assert failures["bystander"] == 0
    until(
        lambda: metric(cloud, "Invocation5XXErrors", "resilient", "victim") >= failures["victim"],
        what="the 5xx to be counted",
    )
    assert metric(cloud, "Invocation5XXErrors", "resilient", "bystander") == 0
    assert cloud.client("sagemaker").describe_endpoint(EndpointName="resilient")["EndpointStatus"] == "InService"


def _answers(cloud: Cloud, name: str, variant: str) -> bool:
    try:
        return bool(invoke(cloud, name, TargetVariant=variant))
    except ClientError:
        return False


def test_captured_requests_land_in_s3_as_json_lines(cloud: Cloud) -> None:
    bucket = cloud.bucket("captured")
    model(cloud, "watched", mean=1)
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{bucket}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    endpoint(cloud, "watched", {"watched": 1.0}, DataCaptureConfig=capture)
    assert (
        cloud.client("sagemaker").describe_endpoint(EndpointName="watched")["DataCaptureConfig"]["CaptureStatus"]
        == "Started"
    )

    invoke(cloud, "watched", b"41", InferenceId="flight-7", CustomAttributes="k=v")
    invoke(cloud, "watched", b"1")
    cloud.client("sagemaker").delete_endpoint(EndpointName="watched")

    keys = until(
        lambda: [item["Key"] for item in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])],
        what="the capture file",
    )
    [key] = keys
    moment = datetime.now(UTC)
    assert key.startswith(f"capture/watched/watched/{moment:%Y/%m/%d}/")
    assert key.endswith(".jsonl")
    lines = [
        json.loads(line)
        for line in cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
    ]
    first = lines[0]
    assert first["eventVersion"] == "0"
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "41",
        "encoding": "CSV",
    }
    assert first["captureData"]["endpointOutput"] == {
        "observedContentType": "text/csv",
        "mode": "OUTPUT",
        "data": "42.0",
        "encoding": "CSV",
    }
    assert (first["eventMetadata"]["inferenceId"], first["eventMetadata"]["customAttributes"]) == ("flight-7", ["k=v"])
    assert len(lines) == 2


def test_an_endpoint_whose_model_cannot_load_fails_with_its_reason_and_log(cloud: Cloud) -> None:
    model(cloud, "unloadable", broken=True)
    config(cloud, "unloadable-1", {"unloadable": 1.0})
    cloud.client("sagemaker").create_endpoint(EndpointName="unloadable", EndpointConfigName="unloadable-1")

    described = settled(cloud, "unloadable")

    assert described["EndpointStatus"] == "Failed"
    assert "variant unloadable did not pass the ping health check" in described["FailureReason"]
    logs = cloud.client("logs")
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/Endpoints/unloadable")["logStreams"]
    events = [
        event["message"]
        for event in logs.get_log_events(
            logGroupName="/aws/sagemaker/Endpoints/unloadable", logStreamName=streams[0]["logStreamName"]
        )["events"]
    ]
    assert "this model cannot load" in events
    assert refusal(lambda: invoke(cloud, "unloadable"))[:2] == ("ValidationError", 400)
    assert processes(cloud, "endpoint-unloadable") == []


def test_an_update_to_a_model_that_cannot_load_leaves_the_old_one_serving(cloud: Cloud) -> None:
    model(cloud, "sound", mean=5)
    model(cloud, "unsound", broken=True)
    endpoint(cloud, "steadfast", {"sound": 1.0})
    sagemaker = cloud.client("sagemaker")
    config(cloud, "steadfast-2", {"unsound": 1.0})

    sagemaker.update_endpoint(EndpointName="steadfast", EndpointConfigName="steadfast-2")
    assert sagemaker.describe_endpoint(EndpointName="steadfast")["EndpointStatus"] == "Updating"
    assert (
        refusal(lambda: sagemaker.update_endpoint(EndpointName="steadfast", EndpointConfigName="steadfast-2"))[0]
        == "ValidationException"
    )
    assert invoke(cloud, "steadfast")["Body"] == b"6.0"
    described = settled(cloud, "steadfast")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "steadfast-1")
    assert "variant unsound did not pass the ping health check" in described["FailureReason"]
    assert invoke(cloud, "steadfast")["Body"] == b"6.0"


def canary(alarm: str, wait: int) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                "WaitIntervalInSeconds": wait,
            },
            "TerminationWaitInSeconds": 0,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }


def errors_alarm(cloud: Cloud, name: str, endpoint_name: str, variant: str) -> None:
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint_name}, {"Name": "VariantName", "Value": variant}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )


def test_a_canary_that_raises_an_alarm_is_rolled_back(cloud: Cloud) -> None:
    model(cloud, "incumbent", mean=1)
    model(cloud, "canary", mean=2)
    endpoint(cloud, "guarded", {"incumbent": 1.0})
    errors_alarm(cloud, "guarded-errors", "guarded", "canary")
    config(cloud, "guarded-2", {"canary": 1.0})
    cloud.client("sagemaker").update_endpoint(
        EndpointName="guarded", EndpointConfigName="guarded-2", DeploymentConfig=canary("guarded-errors", 30)
    )
    until(lambda: invoke(cloud, "guarded")["InvokedProductionVariant"] == "canary", what="traffic on the canary")
    assert {invoke(cloud, "guarded")["InvokedProductionVariant"] for _ in range(40)} == {"canary", "incumbent"}

    for _ in range(10):
        with pytest.raises(ClientError):
            invoke(cloud, "guarded", b"fail")
    described = settled(cloud, "guarded")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "guarded-1")
    assert "guarded-errors" in described["FailureReason"]
    assert {invoke(cloud, "guarded")["Body"] for _ in range(20)} == {b"2.0"}
    assert processes(cloud, "endpoint-guarded-canary") == []


def test_a_good_rollout_keeps_live_weights_and_retires_the_old_fleet(cloud: Cloud) -> None:
    model(cloud, "blue", mean=1)
    model(cloud, "green", mean=2)
    endpoint(cloud, "rolling", {"blue": 3.0, "green": 1.0})
    errors_alarm(cloud, "rolling-errors", "rolling", "green")
    sagemaker = cloud.client("sagemaker")
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="rolling", DesiredWeightsAndCapacities=[{"VariantName": "green", "DesiredWeight": 7}]
    )
    config(cloud, "rolling-2", {"blue": 1.0, "green": 1.0})
    old = {process.pid for process in processes(cloud, "endpoint-rolling")}

    sagemaker.update_endpoint(
        EndpointName="rolling",
        EndpointConfigName="rolling-2",
        RetainAllVariantProperties=True,
        DeploymentConfig=canary("rolling-errors", 1),
    )
    described = settled(cloud, "rolling")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "rolling-2")
    assert "FailureReason" not in described
    assert {item["VariantName"]: item["CurrentWeight"] for item in described["ProductionVariants"]} == {
        "blue": 3.0,
        "green": 7.0,
    }
    until(lambda: len(processes(cloud, "endpoint-rolling")) == 2, what="the old fleet to be gone")
    assert old.isdisjoint({process.pid for process in processes(cloud, "endpoint-rolling")})
