import copy
from collections.abc import Mapping
from typing import Any

import pytest

from stacks.loading import ConfigError, load, stack_values

LOOPBACK = "http://127.0.0.1:4566"
DEV: dict[str, Any] = {
    "account_id": "111122223333",
    "region": "eu-west-1",
    "owner": "ml-platform",
    "cost_center": "ml",
    "network": {"zones": ["eu-west-1a", "eu-west-1b"]},
    "training": {},
    "registry": {"certificate_arn": "arn:aws:acm:eu-west-1:111122223333:certificate/0", "hostname": "ml.example.com"},
    "serving": {"variants": [{"name": "champion", "weight": 100}]},
}


REMOVED = object()


def changed(**changes: object) -> dict[str, Any]:
    """DEV with the values at double-underscored paths (list positions as numbers) replaced or REMOVED."""
    values = copy.deepcopy(DEV)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node: Any = values
        for step in parents:
            node = node[int(step)] if step.isdigit() else node[step]
        if value is REMOVED:
            del node[last]
        else:
            node[last] = value
    return values


def problem(values: Mapping[str, Any], environment: str = "dev", variables: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        load(environment, values, variables or {})
    return str(raised.value)


def test_defaults_are_safe_for_production() -> None:
    config = load("dev", DEV, {})
    assert not config.disposable
    assert not config.storage.disposable
    assert config.training is not None
    assert config.training.network_isolation
    assert config.registry is not None
    assert not config.registry.disposable
    assert config.registry.database.multi_az
    assert config.serving is not None
    assert config.serving.network_isolation
    assert all(variant.instance_count > 1 for variant in config.serving.variants)


def test_a_stage_absent_from_the_file_is_absent() -> None:
    config = load("dev", changed(registry=REMOVED, serving=REMOVED), {})
    assert config.training is not None
    assert config.registry is None
    assert config.serving is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"servng": {}},
            (
                "servng: unknown key or stage, allowed are account_id, cost_center, disposable, endpoint, "
                "log_retention_days, network, owner, region, registry, serving, storage, training; "
                "did you mean serving?"
            ),
        ),
        (
            {"training__isolation": True},
            "training.isolation: unknown key, allowed are network_isolation, profiles",
        ),
        (
            {"registry__database": {"clas": "x"}},
            (
                "registry.database.clas: unknown key, "
                "allowed are backup_days, instance_class, multi_az, port, require_tls, storage_gib"
            ),
        ),
        (
            {"serving__variants__0__wieght": 3},
            (
                "serving.variants[0].wieght: unknown key, "
                "allowed are instance_count, instance_type, name, scaling, weight; did you mean weight?"
            ),
        ),
        ({"registry__tasks": "many"}, "registry.tasks: must be a valid integer"),
        ({"account_id": "12"}, "account_id: must match pattern"),
        (
            {"serving__variants__0__weight": 90},
            "serving.variants: weights must sum to 100, got 90; change one of champion 90",
        ),
        (
            {"serving__variants": [{"name": "champion", "weight": 50}, {"name": "champion", "weight": 50}]},
            "serving.variants: names must be different from each other, got champion, champion",
        ),
        (
            {"registry__certificate_arn": REMOVED},
            "registry: needs certificate_arn and hostname for its HTTPS listener; give both, or plain_http: true",
        ),
        ({"registry__plain_http": True}, "registry: takes certificate_arn or plain_http, got both; remove plain_http"),
        (
            {"training__profiles": {"gpu": {"instance_type": "ml.g5.xlarge"}}},
            "training.profiles: must hold a profile named default, got gpu",
        ),
        (
            {
                "training__profiles": {
                    "default": {"instance_type": "ml.m5.large", "max_runtime_seconds": 600, "max_wait_seconds": 60}
                }
            },
            (
                "training.profiles.default: max_wait_seconds must be at least max_runtime_seconds (600), got 60; "
                "leave it out to buy on demand"
            ),
        ),
        (
            {
                "serving__variants__0__scaling": {
                    "min_instances": 3,
                    "max_instances": 4,
                    "invocations_per_instance": 1,
                }
            },
            "serving.variants[0]: instance_count must be within the scaling of 3 to 4, got 2",
        ),
        ({"network__zones": ["eu-west-1a"]}, "network.zones: must have at least 2 items"),
        ({"network__zones": ["eu-west-1a", "eu-west-1a"]}, "network.zones: must be different from each other"),
        ({"log_retention_days": 8}, "log_retention_days: must be one of 1, 3, 5, 7"),
        ({"owner": REMOVED}, "owner: is missing; add it"),
        ({"training": REMOVED}, "serving: needs mlp:training; add what is missing or remove mlp:serving"),
        (
            {"training": REMOVED, "registry": REMOVED},
            "serving: needs mlp:training and mlp:registry; add what is missing or remove mlp:serving",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(changes: dict[str, object], sentence: str) -> None:
    assert sentence in problem(changed(**changes))


def test_every_mistake_is_said_at_once() -> None:
    said = problem(
        changed(serving__variants__0__weight=90, registry__tasks="many", endpoint=LOOPBACK, spare=1, network=REMOVED)
    )
    assert said.startswith("stack dev: ")
    for path in ("serving.variants:", "registry.tasks:", "endpoint:", "spare:", "network:"):
        assert path in said


@pytest.mark.parametrize(
    ("environment", "declared", "variables", "sentence"),
    [
        (
            "local",
            "https://sagemaker.eu-west-1.amazonaws.com",
            {"AWS_ENDPOINT_URL": LOOPBACK},
            "endpoint: must be a loopback address, as http://127.0.0.1:4566, got 'https://sagemaker",
        ),
        ("local", None, {"AWS_ENDPOINT_URL": LOOPBACK}, "endpoint: must be a loopback address"),
        ("local", LOOPBACK, {}, "endpoint: AWS_ENDPOINT_URL is not set; start with `mlp up`"),
        (
            "local",
            LOOPBACK,
            {"AWS_ENDPOINT_URL": LOOPBACK, "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com"},
            "endpoint: AWS_ENDPOINT_URL_S3 must be a loopback address for local, got 'https://s3.amazonaws.com'",
        ),
        ("prod", LOOPBACK, {}, f"endpoint: only local has one, got '{LOOPBACK}'; remove mlp:endpoint"),
        (
            "prod",
            None,
            {"AWS_ENDPOINT_URL": "http://localhost:4566"},
            "endpoint: AWS_ENDPOINT_URL is 'http://localhost:4566', which is this machine and not AWS; unset it",
        ),
        ("dev", None, {"AWS_ENDPOINT_URL_SAGEMAKER": "http://[::1]:1"}, "AWS_ENDPOINT_URL_SAGEMAKER is"),
    ],
)
def test_only_local_stands_on_this_machine(
    environment: str, declared: str | None, variables: dict[str, str], sentence: str
) -> None:
    values = changed(**({} if declared is None else {"endpoint": declared}))
    assert sentence in problem(values, environment, variables)


def test_local_on_another_loopback_port_than_declared_is_fine() -> None:
    values = changed(endpoint=LOOPBACK)
    assert load("local", values, {"AWS_ENDPOINT_URL": "http://127.0.0.1:50123"}).endpoint == LOOPBACK


def test_settings_keep_their_types() -> None:
    values = stack_values(
        {"mlp:account_id": "012345678901", "mlp:network": '{"zones": ["a", "b"]}', "aws:region": "x"}, "mlp"
    )
    assert values == {"account_id": "012345678901", "network": {"zones": ["a", "b"]}}


def test_numbers_and_switches_of_the_top_level_come_as_text() -> None:
    values = changed(disposable="true", log_retention_days="30")
    config = load("dev", values, {})
    assert config.disposable
    assert config.log_retention_days == 30


def test_configuration_cannot_be_changed() -> None:
    config = load("dev", DEV, {})
    with pytest.raises(ValueError, match="frozen"):
        config.owner = "someone"  # pyright: ignore[reportAttributeAccessIssue] - the point of the test
