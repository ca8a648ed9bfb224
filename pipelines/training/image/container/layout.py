"""Where SageMaker puts what a container reads and writes.

Source: "How Amazon SageMaker provides training information" and "Custom inference code with hosting services" in AWS's
developer guide; the variables are those of AWS's sagemaker-training toolkit.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast


@dataclass(frozen=True)
class Layout:
    """The folders below the base directory, `/opt/ml` unless `SAGEMAKER_BASE_DIR` says otherwise."""

    base: Path

    @classmethod
    def from_environment(cls) -> Self:
        """The layout that the process was started with."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")))

    @property
    def configuration(self) -> Path:
        """Folder of hyperparameters.json, inputdataconfig.json and resourceconfig.json."""
        return self.base / "input" / "config"

    @property
    def model(self) -> Path:
        """What training leaves here becomes the model archive; serving finds it unpacked here."""
        return self.base / "model"

    @property
    def failure(self) -> Path:
        """What a failed job writes here becomes its FailureReason (first 1,024 characters)."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        """Folder of an input channel in File mode."""
        return self.base / "input" / "data" / name

    def read(self, name: str) -> dict[str, Any]:
        """A configuration document, empty when SageMaker wrote none."""
        path = self.configuration / f"{name}.json"
        return cast("dict[str, Any]", json.loads(path.read_text())) if path.exists() else {}


def decode_hyperparameters(raw: dict[str, str]) -> dict[str, Any]:
    """Hyperparameters arrive as strings; each that is JSON is decoded, as AWS's toolkit does."""
    decoded: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            decoded[name] = json.loads(value)
        except (json.JSONDecodeError, TypeError):
            decoded[name] = value
    return decoded


def arguments(hyperparameters: dict[str, Any]) -> list[str]:
    """Command line of the script: `--name value`, without the names SageMaker keeps to itself."""
    line: list[str] = []
    for name, value in sorted(hyperparameters.items()):
        if name.startswith("sagemaker_"):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        line += ["-" + name if len(name) == 1 else "--" + name, text]
    return line


def variables(layout: Layout, hyperparameters: dict[str, Any]) -> dict[str, str]:
    """The SM_* variables of the script. `SM_CHECKPOINT_DIR` is ours: AWS's toolkit has no variable for it."""
    channels = layout.read("inputdataconfig")
    resources = layout.read("resourceconfig")
    own = {name: value for name, value in hyperparameters.items() if not name.startswith("sagemaker_")}
    hosts = resources.get("hosts", ["algo-1"])
    found = {
        "SM_MODEL_DIR": str(layout.model),
        "SM_INPUT_DIR": str(layout.base / "input"),
        "SM_INPUT_CONFIG_DIR": str(layout.configuration),
        "SM_OUTPUT_DIR": str(layout.base / "output"),
        "SM_OUTPUT_DATA_DIR": str(layout.base / "output" / "data"),
        "SM_CHECKPOINT_DIR": str(layout.base / "checkpoints"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        "SM_HPS": json.dumps(own, sort_keys=True),
        "SM_HOSTS": json.dumps(hosts),
        "SM_CURRENT_HOST": resources.get("current_host", hosts[0]),
        "SM_NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "eth0"),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": str(len(list(Path("/proc/driver/nvidia/gpus").glob("*")))),
        "SM_USER_ARGS": json.dumps(arguments(hyperparameters)),
    }
    found |= {f"SM_CHANNEL_{name.upper()}": str(layout.channel(name)) for name in channels}
    found |= {
        f"SM_HP_{name.upper()}": value if isinstance(value, str) else json.dumps(value) for name, value in own.items()
    }
    return found
