import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.backends import ledger
from infra.local.backends.ecs.values import Reference
from infra.local.backends.elb.health import Health, after, code_matches
from infra.local.backends.elb.relay import redirect_location
from infra.local.backends.sagemaker.capture import Exchange, key_below, line
from infra.local.backends.sagemaker.layout import archive, unpack
from infra.local.backends.stores import Location, matches

NOW = datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC)


def test_a_captured_line_encodes_by_content_type_and_carries_what_was_asked_for() -> None:
    config = {
        "CaptureOptions": [{"CaptureMode": "Input"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
    }
    exchange = Exchange("application/x-npy", b"\x93\xff", "application/json", b"{}", None, "i")

    found = json.loads(line(config, exchange, NOW, "e"))

    assert found == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "application/x-npy",
                "mode": "INPUT",
                "data": base64.b64encode(b"\x93\xff").decode(),
                "encoding": "BASE64",
            }
        },
        "eventMetadata": {"eventId": "e", "inferenceId": "i", "inferenceTime": "2026-03-04T05:06:07Z"},
        "eventVersion": "0",
    }
    both = json.loads(line({**config, "CaptureOptions": [{"CaptureMode": "InputAndOutput"}]}, exchange, NOW, "e"))
    assert both["captureData"]["endpointOutput"]["encoding"] == "JSON"


def test_capture_files_are_laid_out_by_hour() -> None:
    key = key_below(Location("b", "p/"), "endpoint", "variant", NOW, "u")
    assert key == "p/endpoint/variant/2026/03/04/05/06-07-089-u.jsonl"


@pytest.mark.parametrize(
    ("prefix", "key", "path"),
    [
        ("data/train", "data/train/a.csv", "a.csv"),
        ("data/train/", "data/train/x/a.csv", "x/a.csv"),
        ("data/train.csv", "data/train.csv", "train.csv"),
        ("data/tr", "data/train.csv", "train.csv"),
        ("", "a/b", "a/b"),
    ],
)
def test_a_channel_is_laid_out_below_its_prefix(prefix: str, key: str, path: str) -> None:
    assert list(matches(prefix, [key])) == [(key, path)]


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.binary(max_size=50), max_size=5))
def test_an_archive_is_unpacked_to_what_went_in_and_is_the_same_bytes_twice(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name, content in files.items():
        (source / name).write_bytes(content)

    packed = archive(source)
    unpack(packed, target, ValueError)

    assert {path.name: path.read_bytes() for path in target.iterdir()} == files
    assert archive(source) == packed


def test_an_archive_that_is_none_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a gzip file"):
        unpack(b"hello", tmp_path / "x", ValueError)


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:password::",
            Reference("secretsmanager", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf", "password"),
        ),
        (
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
            Reference("secretsmanager", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"),
        ),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/mlp/dev/x", Reference("ssm", "/mlp/dev/x")),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/plain", Reference("ssm", "plain")),
        ("/mlp/x", Reference("ssm", "/mlp/x")),
    ],
)
def test_the_forms_of_value_from(given_value: str, expected: Reference) -> None:
    assert Reference.parse(given_value) == expected


def test_target_health_turns_at_its_thresholds() -> None:
    healthy = after(Health(), None, healthy_after=3, unhealthy_after=2)
    shaken = after(healthy, "Health checks failed", healthy_after=3, unhealthy_after=2)
    ill = after(shaken, "Health checks failed", healthy_after=3, unhealthy_after=2)
    better = after(ill, None, healthy_after=2, unhealthy_after=2)
    well = after(better, None, healthy_after=2, unhealthy_after=2)
    states = [health.state for health in (healthy, shaken, ill, better, well)]
    assert states == ["healthy", "healthy", "unhealthy", "unhealthy", "healthy"]
    assert [code_matches(code, "200,300-399") for code in (200, 201, 302, 400)] == [True, False, True, False]


def test_a_redirect_fills_its_placeholders() -> None:
    config = {"Protocol": "HTTPS", "Port": "443"}
    found = redirect_location(config, "GET /a/b?c=1 HTTP/1.1", "host:80", 80, "HTTP")
    assert found == "https://host:443/a/b?c=1"


def test_every_refusal_names_an_operation_of_its_service() -> None:
    import botocore.session  # noqa: PLC0415 - half a second that only this test needs

    models = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
    session = botocore.session.get_session()
    for signing, service in ledger.SERVICES.items():
        operations = session.get_service_model(models.get(signing, signing)).operation_names
        for refused in service.refused:
            assert any(ledger.refusal(signing, name) for name in operations if name.startswith(refused.rstrip("*"))), (
                refused
            )
    assert ledger.refusal("sagemaker", "CreateTrainingJob") is None
    assert "| SageMaker | training jobs | live |" in ledger.markdown()
