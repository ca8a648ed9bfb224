import pytest

from pipelines import aws as clients
from pipelines import platform
from pipelines.errors import PipelineError
from stacks.outputs import PlatformOutputs

ADDRESS = "s3://mlp-test-artifacts/platform/outputs.json"


def _publish(body: str) -> None:
    s3 = clients.s3()
    s3.create_bucket(Bucket="mlp-test-artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="mlp-test-artifacts", Key="platform/outputs.json", Body=body.encode())
    clients.ssm().put_parameter(Name="/mlp/test/outputs", Value=ADDRESS, Type="String")


@pytest.mark.usefixtures("aws")
def test_what_up_published_is_what_pipelines_read(outputs: PlatformOutputs) -> None:
    _publish(outputs.model_dump_json())
    assert platform.load("test") == outputs


@pytest.mark.usefixtures("aws")
def test_an_environment_that_is_not_deployed_says_what_to_call() -> None:
    with pytest.raises(platform.NotDeployedError, match=r"dev is not deployed .* call `mlp up --stack dev` first"):
        platform.load("dev")


@pytest.mark.usefixtures("aws")
def test_a_pointer_to_a_document_that_is_gone_says_what_to_call() -> None:
    clients.ssm().put_parameter(Name="/mlp/test/outputs", Value=ADDRESS, Type="String")
    with pytest.raises(platform.NotDeployedError, match="gone; call `mlp up --stack test`"):
        platform.load("test")


@pytest.mark.usefixtures("aws")
def test_a_pointer_that_somebody_overwrote_names_its_value_and_what_to_call() -> None:
    clients.ssm().put_parameter(Name="/mlp/test/outputs", Value="elsewhere", Type="String")
    with pytest.raises(PipelineError, match=r"got 'elsewhere'; call `mlp refresh --stack test` and `mlp up --stack"):
        platform.load("test")


@pytest.mark.usefixtures("aws")
def test_a_document_of_another_version_names_what_differs(outputs: PlatformOutputs) -> None:
    _publish(outputs.model_dump_json().replace('"region"', '"zone"'))
    with pytest.raises(PipelineError, match="region: Field required; zone: Extra inputs"):
        platform.load("test")


def test_an_aws_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(PipelineError, match=r"AWS does not answer: .*check credentials, region and AWS_ENDPOINT_URL"):
        platform.load("test")
