"""Log a job's run to MLflow and register its model: from outside the job, which reaches no network."""
# pyright: reportUnknownMemberType=false
# MLflow's client is partly typed.

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Dataset as TrackedDataset
from mlflow.entities import DatasetInput, InputTag, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipelines.errors import PipelineError
from pipelines.progress import Progress, silent
from stacks.outputs import Registry

JOB_TAG = "training_job"
"""Tag of runs and model versions that names the job: one version per job."""

CANDIDATE = "candidate"
"""Alias of the newest version that may be released."""

CHAMPION = "champion"
"""Alias of the version that serves."""


@dataclass(frozen=True)
class Candidate:
    """A trained model and what is to be remembered of how it came about."""

    name: str
    """The registered model's name."""
    job_name: str
    model_uri: str
    data_version: str
    data_uri: str
    parameters: Mapping[str, str]
    image_uri: str
    code_uri: str


@dataclass(frozen=True)
class Version:
    """A model version in the registry."""

    name: str
    version: str
    run_id: str
    new: bool
    """Whether it was registered just now."""


class Tracking:
    """The tracking server of a platform."""

    def __init__(self, registry: Registry) -> None:
        """`registry` is the platform's section; the server must be reachable from here."""
        self.uri = registry.tracking_uri
        # MLflow would print addresses on standard output, which belongs to the caller.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def find(self, name: str, job_name: str) -> Version | None:
        """The version that was registered for the job. Raises PipelineError when the server does not answer."""
        try:
            found = self._client.search_model_versions(f"name = '{name}' and tags.{JOB_TAG} = '{job_name}'")
        except MlflowException as error:
            raise self._unreachable(error) from None
        ready = [each for each in found if each.status == "READY"]
        if not ready:
            return None
        newest = max(ready, key=lambda each: int(each.version))
        return Version(name, str(newest.version), str(newest.run_id), new=False)

    def register(
        self, candidate: Candidate, model: Path, metrics: Mapping[str, float], progress: Progress = silent
    ) -> Version:
        """Log run and model of the job, then register the model; the version that is there already, if it is.

        `model` is the unpacked MLflow model. A run that an interrupted call left behind is gone on with.
        """
        if known := self.find(candidate.name, candidate.job_name):
            return known
        run = self._run(candidate)
        run_id = str(run.info.run_id)
        progress("registry", f"log {candidate.job_name} to {self.uri}")
        self._log_inputs(run_id, candidate)
        logged = self._client.create_logged_model(
            run.info.experiment_id,
            name=candidate.name,
            source_run_id=run_id,
            params=dict(candidate.parameters),
            tags={JOB_TAG: candidate.job_name, "data_version": candidate.data_version},
        )
        self._client.log_model_artifacts(logged.model_id, str(model))
        self._client.finalize_logged_model(logged.model_id, "READY")
        for name, value in metrics.items():
            self._client.log_metric(run_id, name, value, model_id=logged.model_id)
        version = self._client.create_model_version(
            candidate.name,
            source=f"models:/{logged.model_id}",
            run_id=run_id,
            tags=_tags(candidate),
            model_id=logged.model_id,
            await_creation_for=0,
        )
        self._client.set_terminated(run_id)
        return Version(candidate.name, str(version.version), run_id, new=True)

    def alias(self, version: Version, alias: str) -> None:
        """Let the alias mean this version."""
        self._client.set_registered_model_alias(version.name, alias, version.version)

    def _run(self, candidate: Candidate) -> Run:
        """The job's run, made or found, in the experiment named as the model."""
        client = self._client
        try:
            experiment = client.get_experiment_by_name(candidate.name)
            experiment_id = experiment.experiment_id if experiment else client.create_experiment(candidate.name)
            if not client.search_registered_models(f"name = '{candidate.name}'"):
                client.create_registered_model(candidate.name)
        except MlflowException as error:
            raise self._unreachable(error) from None
        found = client.search_runs([str(experiment_id)], f"tags.{JOB_TAG} = '{candidate.job_name}'", max_results=1)
        run = (
            found[0]
            if found
            else client.create_run(str(experiment_id), run_name=candidate.job_name, tags=_tags(candidate))
        )
        for name, value in candidate.parameters.items():
            client.log_param(run.info.run_id, name, value)
        return run

    def _log_inputs(self, run_id: str, candidate: Candidate) -> None:
        dataset = TrackedDataset(
            name=candidate.name,
            digest=candidate.data_version,
            source_type="s3",
            source=json.dumps({"uri": candidate.data_uri}),
        )
        self._client.log_inputs(run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    def _unreachable(self, error: MlflowException) -> PipelineError:
        return PipelineError(
            f"the registry at {self.uri} does not answer: {str(error).splitlines()[0]}; "
            "call `mlp deploy registry` and look at its log with `mlp local logs`"
        )


def _tags(candidate: Candidate) -> dict[str, str]:
    return {
        JOB_TAG: candidate.job_name,
        "data_version": candidate.data_version,
        "model_uri": candidate.model_uri,
        "image": candidate.image_uri,
        "code": candidate.code_uri,
    }
