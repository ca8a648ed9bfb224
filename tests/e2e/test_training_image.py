"""The training image's entry point as a process, with SageMaker's layout around it."""

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infra.local.runtime import images
from pipelines.progress import until
from pipelines.training.package import pack
from tests.support.toy import Toy

pytestmark = [pytest.mark.local, pytest.mark.xdist_group("training-image")]
FOLDER = Path(__file__).parents[2] / "pipelines" / "training" / "image"
ADDRESS = "127.77.0.7"


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the image's locked environment."""
    return images.prepare(FOLDER) / "bin" / "python"


@dataclass(frozen=True)
class Container:
    python: Path
    base: Path

    def start(self, command: str, **variables: str) -> "subprocess.Popen[str]":
        environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(self.base), "OMP_WAIT_POLICY": "PASSIVE"}
        return subprocess.Popen(
            [str(self.python), "-m", "container", command],
            cwd=FOLDER,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(self, hyperparameters: dict[str, str], **channels: Path | bytes) -> tuple[int, str]:
        """Exit status and what the job's failure file says."""
        configuration = self.base / "input" / "config"
        configuration.mkdir(parents=True)
        (configuration / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        (configuration / "inputdataconfig.json").write_text(json.dumps({name: {} for name in channels}))
        for name, content in channels.items():
            folder = self.base / "input" / "data" / name
            if isinstance(content, Path):
                shutil.copytree(content, folder)
            else:
                folder.mkdir(parents=True)
                (folder / ("sourcedir.tar.gz" if name == "code" else "p")).write_bytes(content)
        with self.start("train") as process:
            process.communicate(timeout=120)
        failure = self.base / "output" / "failure"
        return process.returncode, failure.read_text() if failure.exists() else ""


@pytest.fixture
def container(python: Path, tmp_path: Path) -> Container:
    return Container(python, tmp_path / "ml")


def _script(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "train.py").write_text(text)
    return folder


def test_hyperparameters_channels_and_variables_reach_the_script(container: Container, tmp_path: Path) -> None:
    script = (
        "import json, os, sys\n"
        "kept = {name: value for name, value in os.environ.items() if name.startswith('SM_')}\n"
        "json.dump([sys.argv[1:], kept], open(os.environ['SM_MODEL_DIR'] + '/seen.json', 'w'))\n"
    )
    code = _script(tmp_path / "code", script)
    status, failure = container.train(
        {"sagemaker_program": "train.py", "depth": "3", "name": "a b"}, code=code, extra=b"x"
    )
    arguments, seen = json.loads((container.base / "model" / "seen.json").read_text())
    assert (status, failure) == (0, "")
    assert arguments == ["--depth", "3", "--name", "a b"]
    assert seen["SM_CHANNEL_EXTRA"] == str(container.base / "input" / "data" / "extra")
    assert seen["SM_CHECKPOINT_DIR"] == str(container.base / "checkpoints")
    assert json.loads(seen["SM_CHANNELS"]) == ["code", "extra"]
    assert json.loads(seen["SM_HPS"]) == {"depth": 3, "name": "a b"}
    assert seen["SM_HP_DEPTH"] == "3"


def test_a_script_that_raises_leaves_the_end_of_its_traceback(container: Container, tmp_path: Path) -> None:
    code = _script(tmp_path / "code", "raise RuntimeError('x' * 5000 + ' and that was the reason')\n")
    status, failure = container.train({"sagemaker_program": "train.py"}, code=code)
    assert status == 1
    assert failure.endswith("and that was the reason")
    assert len(failure) <= 1024


def test_a_script_that_ends_silently_is_told_by_its_status(container: Container, tmp_path: Path) -> None:
    code = _script(tmp_path / "code", "import os\nos._exit(7)\n")
    assert container.train({"sagemaker_program": "train.py"}, code=code) == (
        1,
        "train.py ended with status 7 and wrote no error",
    )


def test_a_job_without_program_code_or_script_says_what_to_add(container: Container, tmp_path: Path) -> None:
    code = _script(tmp_path / "code", "")
    other = Container(container.python, tmp_path / "two")
    third = Container(container.python, tmp_path / "three")
    assert "set it to the script's file name" in container.train({}, code=code)[1]
    assert "no channel `code`" in other.train({"sagemaker_program": "train.py"})[1]
    assert (
        "is go.py, but the channel `code` holds train.py" in third.train({"sagemaker_program": "go.py"}, code=code)[1]
    )


def test_stopping_the_job_lets_the_script_save_its_work(container: Container, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, time\n"
        "def save(*_):\n"
        "    open(os.environ['SM_CHECKPOINT_DIR'] + '/saved', 'w').close()\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "open(os.environ['SM_CHECKPOINT_DIR'] + '/ready', 'w').close()\n"
        "time.sleep(60)\n"
    )
    (container.base / "input" / "config").mkdir(parents=True)
    (container.base / "input" / "config" / "hyperparameters.json").write_text('{"sagemaker_program": "train.py"}')
    shutil.copytree(_script(tmp_path / "code", script), container.base / "input" / "data" / "code")
    checkpoints = container.base / "checkpoints"
    with container.start("train") as process:
        assert any((checkpoints / "ready").exists() for _ in until(30))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert (checkpoints / "saved").exists()


@pytest.fixture(scope="module")
def trained(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder that the toy's script leaves when its code comes as an archive."""
    toy = Toy()
    tables = toy.tables(lambda _step, _message: None)
    base = tmp_path_factory.mktemp("trained") / "ml"
    parts = {name: parts["p"].to_parquet() for name, parts in tables.channels.items()}
    status, failure = Container(python, base).train(
        {**toy.hyperparameters, "sagemaker_program": toy.program}, code=pack(toy.code), **parts
    )
    assert (status, failure) == (0, "")
    return base / "model"


@pytest.fixture(scope="module")
def url(python: Path, trained: Path) -> Generator[str, None, None]:
    server = Container(python, trained.parent).start(
        "serve", BIND_ADDRESS=ADDRESS, SAGEMAKER_BIND_TO_PORT="8080", SAGEMAKER_MAX_PAYLOAD_IN_MB="1"
    )
    with server:
        address = f"http://{ADDRESS}:8080"
        assert any(_answers(address) for _ in until(60))
        yield address
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address + "/ping", timeout=2) as answer:  # noqa: S310 - our own loopback address
            return answer.status == 200
    except OSError:
        return False


def _post(url: str, body: bytes, media: str = "text/csv", accept: str = "*/*") -> tuple[int, str]:
    headers = {"Content-Type": media, "Accept": accept}
    request = urllib.request.Request(url + "/invocations", data=body, headers=headers)  # noqa: S310 - as above
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def test_answers_are_the_models_in_every_form(url: str, trained: Path) -> None:
    scores = pd.read_parquet(trained / "evaluation" / "scores.parquet")["model"].to_numpy()
    test = Toy().tables(lambda _step, _message: None).channels["test"]["p"]
    rows = test[["x", "y"]]
    status, answer = _post(url, rows.to_csv(index=False, header=False).encode())
    assert status == 200
    np.testing.assert_allclose([float(line.split(",")[1]) for line in answer.splitlines()], scores, rtol=1e-12)
    document = json.dumps({"instances": rows.to_dict("records")}).encode()
    status, answer = _post(url, document, "application/json", "application/json")
    assert status == 200
    np.testing.assert_allclose([row[1] for row in json.loads(answer)["predictions"]], scores, rtol=1e-12)


@pytest.mark.parametrize(
    ("body", "media", "status", "sentence"),
    [
        (b"", "text/csv", 400, "the body is empty"),
        (b"1,2,3\n", "text/csv", 400, "row 1 has 3 values, expected 2: x, y"),
        (b"{}", "application/json", 400, "expected a JSON object with one of instances"),
        (b"x", "image/png", 415, "image/png is not understood"),
        (b"1,2\n" * 300_000, "text/csv", 413, "larger than 1048576 bytes"),
    ],
)
def test_what_does_not_fit_is_the_callers_fault(url: str, body: bytes, media: str, status: int, sentence: str) -> None:
    code, answer = _post(url, body, media)
    assert code == status
    assert sentence in answer
    assert _answers(url)


def test_a_model_that_cannot_load_ends_the_server_with_the_reason(container: Container, trained: Path) -> None:
    shutil.copytree(trained, container.base / "model")
    (container.base / "model" / "model.skops").write_bytes(b"no model")
    with container.start("serve", BIND_ADDRESS=ADDRESS, SAGEMAKER_BIND_TO_PORT="8081") as server:
        _, errors = server.communicate(timeout=60)
    assert server.returncode == 1
    assert "cannot load the model in" in errors


def test_a_command_that_is_none_is_refused(container: Container) -> None:
    with container.start("deploy") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "expected the argument `train` or `serve`, got deploy" in errors
