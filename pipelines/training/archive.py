"""The archive that a job left: an MLflow model and the evidence beside it."""

import io
import json
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines import aws
from pipelines.aws import split_uri
from pipelines.errors import PipelineError

EVIDENCE = "evaluation"


@dataclass(frozen=True)
class Archive:
    """An unpacked model archive; it lives as long as the context that `opened` gives."""

    folder: Path

    @property
    def metrics(self) -> dict[str, float]:
        """What the training script judged its model by."""
        return {name: float(value) for name, value in json.loads((self._evidence("metrics.json")).read_text()).items()}

    @property
    def scores(self) -> Path:
        """Parquet file with the scores of the model and its baselines on the channel `test`."""
        return self._evidence("scores.parquet")

    def _evidence(self, name: str) -> Path:
        path = self.folder / EVIDENCE / name
        if not path.is_file():
            raise PipelineError(f"the model archive has no {EVIDENCE}/{name}: the training script must write it")
        return path


@contextmanager
def opened(model_uri: str) -> Generator[Archive, None, None]:
    """A model archive, unpacked for as long as the context lasts. Raises PipelineError when it is no model."""
    bucket, key = split_uri(model_uri)
    body = aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    with TemporaryDirectory(prefix="model-") as folder:
        with tarfile.open(fileobj=io.BytesIO(body)) as packed:
            # Python before 3.11.4 knows no filters and ignores the attribute.
            packed.extraction_filter = getattr(tarfile, "data_filter", None)
            packed.extractall(folder)  # noqa: S202 - filtered where Python can
        if not (Path(folder) / "MLmodel").is_file():
            raise PipelineError(f"{model_uri} holds no MLmodel file: the training script must save an MLflow model")
        yield Archive(Path(folder))
