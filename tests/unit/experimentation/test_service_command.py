from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner, Result

from cli.experiment import command
from pipelines.experimentation.decision import InMemoryServingWeights, load
from tests.unit.experimentation.service_harness import DAY, START, Harness, harness, traffic

URL = "http://service"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Generator[Harness]:
    with harness() as found:
        speak_to(found, monkeypatch)
        yield found


def speak_to(service: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command's requests reach the service of this process."""

    def request(method: str, url: str, **more: Any) -> httpx.Response:
        more.pop("timeout")
        return service.http.request(method, url, **more)

    monkeypatch.setattr(httpx, "request", request)
    monkeypatch.setenv("MLP_EXPERIMENT_URL", URL)


def mlp(service: Harness, role: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env={"MLP_EXPERIMENT_TOKEN": service.tokens[role]})


def test_the_example_declaration_is_written_once_and_is_sound(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    assert CliRunner().invoke(command, ["new", str(file)]).exit_code == 0
    assert load(file).name == "checkout-button"
    file.write_text(file.read_text().replace("control: 0.5", "control: 0.6"))
    refused = CliRunner().invoke(command, ["new", str(file)])
    assert refused.exit_code == 1
    assert "add up to 1" in refused.output


def test_an_experiment_is_run_from_the_command_line(service: Harness, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    CliRunner().invoke(command, ["new", str(file)])
    document = yaml.safe_load(file.read_text())
    document |= {"minimum_effect": 0.15, "window_hours": 1, "stop": {"minimum_days": 0}}
    file.write_text(yaml.safe_dump(document))
    assert mlp(service, "editor", "start", str(file)).exit_code == 0
    service.now[0] = START + DAY
    service.send(traffic(300, {"control": 0.1, "treatment": 0.6}, START + DAY - 100))
    service.now[0] += 3600
    assert '"ship"' in mlp(service, "editor", "decide", "checkout-button", "--look").output
    digest = service.call("GET", "/v1/experiments/checkout-button").json()["record_digest"]
    refused = mlp(service, "editor", "decide", "checkout-button", "--approve", digest)
    assert refused.exit_code == 1
    assert "this needs approver" in refused.output
    assert mlp(service, "approver", "decide", "checkout-button", "--approve", digest).exit_code == 0
    assert mlp(service, "editor", "decide", "checkout-button", "--close").exit_code == 0
    assert '"decided"' in mlp(service, "viewer", "status", "checkout-button").output
    page = tmp_path / "page.html"
    assert mlp(service, "viewer", "report", "checkout-button", "--output", str(page)).exit_code == 0
    assert "Ship treatment." in page.read_text()


def canary(tmp_path: Path) -> Path:
    file = tmp_path / "canary.yaml"
    CliRunner().invoke(command, ["new", str(file)])
    document = yaml.safe_load(file.read_text())
    document |= {"name": "canary", "design": {"kind": "canary", "shares": [0.5]}, "secondary": []}
    file.write_text(yaml.safe_dump(document))
    return file


def test_a_canary_is_started_on_an_endpoint_and_rolled_back_from_the_command_line(tmp_path: Path) -> None:
    weights = InMemoryServingWeights({"control": 1.0, "treatment": 0.0})
    with harness(serving=lambda _declaration, _rollout: weights) as service, pytest.MonkeyPatch.context() as patch:
        speak_to(service, patch)
        file = canary(tmp_path)
        refused = mlp(service, "editor", "start", str(file))
        assert "serving: missing" in refused.output
        for wrong in (["--variant", "a=b"], ["--endpoint", "e", "--variant", "nothing"]):
            assert mlp(service, "editor", "start", str(file), *wrong).exit_code == 2
        named = ["--endpoint", "flights", "--variant", "treatment=challenger"]
        started = mlp(service, "editor", "start", str(file), *named)
        assert started.exit_code == 0, started.output
        service.parts.canaries.drive()
        assert weights.read()["treatment"] == 0.5
        assert mlp(service, "editor", "decide", "canary", "--look", "--close").exit_code == 2
        assert mlp(service, "editor", "decide", "canary", "--resume", "go on").exit_code == 1
        assert mlp(service, "editor", "decide", "canary", "--roll-back", "not today").exit_code == 0
        service.parts.canaries.drive()
        assert weights.read()["treatment"] == 0.0
        assert "not today" in mlp(service, "viewer", "status", "canary").output
        assert mlp(service, "editor", "decide", "canary", "--close").exit_code == 0
