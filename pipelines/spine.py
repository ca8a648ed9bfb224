"""The spine: data, training, registry, serving, report, for any workload. What is done already is not done again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines import metrics, platform
from pipelines.errors import PipelineError
from pipelines.lake import Dataset, Lake
from pipelines.progress import Progress, silent
from pipelines.registry import packages
from pipelines.registry.register import CANDIDATE, CHAMPION, Candidate, Tracking, Version
from pipelines.report import Latency, SpineReport
from pipelines.serving import endpoint, release, retire, rollout
from pipelines.serving.invoke import Predictions, predict
from pipelines.serving.release import platform_serving
from pipelines.training import archive, package
from pipelines.training.job import Job
from pipelines.training.run import Trained, train
from pipelines.workload import Sample, Scores, Workload
from stacks.outputs import PlatformOutputs, Registry, ReleasedModel

SAMPLE_ROWS = 1000
SINGLE_ROWS = 200
"""So many rows are asked about one by one, one at a time; the others in batches."""
BATCH_ROWS = 100
LARGEST_DIFFERENCE = 1e-6
"""The same model on the same rows must give the same scores, up to the digits that CSV carries."""


class GateError(PipelineError):
    """The model was trained and registered, and must not be released; the text says why."""


@dataclass(frozen=True)
class _Registered:
    version: Version
    package_arn: str
    scores: pd.DataFrame
    """Of the channel `test` when the model was trained, by `id`: column `model` and one per baseline."""


def run(
    environment: str, workload: Workload, *, deploy: Callable[[], object], progress: Progress = silent
) -> SpineReport:
    """Run the whole spine on a deployed environment.

    `deploy` is called once the first release is published: it must run `up`, which creates the endpoint. Raises
    PipelineError with what went wrong and what to do.
    """
    outputs = platform.load(environment)
    registry, serving = _registry(outputs), platform_serving(outputs)
    tracking = Tracking(registry)
    lake = Lake(outputs.storage.lake_bucket)
    dataset = _data(lake, workload, progress)
    trained, candidate = _train(outputs, workload, dataset, progress)
    registered = _register(outputs, tracking, candidate, workload, progress)
    released = _release(outputs, candidate, registered, deploy, progress)
    tracking.alias(registered.version, CHAMPION)
    sample = workload.sample(lake.read(dataset, "test"), SAMPLE_ROWS)
    progress("serving", f"ask {serving.endpoint} about {len(sample.ids)} rows")
    answers = _ask(serving.endpoint, sample)
    served = workload.scores([row for _, part in answers for row in part.rows])
    known = _same_rows(registered.scores, sample)
    difference = _difference(served, known.pop("model"))
    return SpineReport(
        environment=environment,
        workload=workload.name,
        about=sample.about,
        rows=len(sample.ids),
        positive_share=float(sample.truth.mean()),
        data_version=dataset.version,
        training_job=trained.job_name,
        trained=not trained.found,
        training_seconds=trained.seconds,
        model_version=registered.version.version,
        registered=registered.version.new,
        model_package_arn=registered.package_arn,
        endpoint=serving.endpoint,
        released=released,
        tracking_uri=registry.tracking_uri,
        quality={name: metrics.quality(sample.truth, each) for name, each in {"model": served, **known}.items()},
        calibration=metrics.calibration(sample.truth, served),
        largest_difference=difference,
        latency=[
            Latency(
                requests=len(part.milliseconds),
                rows_per_request=batch,
                p50_ms=part.percentile(50),
                p99_ms=part.percentile(99),
            )
            for batch, part in answers
        ],
    )


def _registry(outputs: PlatformOutputs) -> Registry:
    if outputs.registry is None:
        raise PipelineError(f"{outputs.environment} has no stage registry; add `mlp:registry` to its stack file")
    return outputs.registry


def _data(lake: Lake, workload: Workload, progress: Progress) -> Dataset:
    recipe = workload.recipe()
    known = lake.find(workload.name, recipe)
    if known is not None:
        progress("data", f"version {known.version} is in the lake: nothing to compute")
        return known
    dataset = lake.store(workload.name, recipe, workload.tables(progress), progress)
    progress("data", f"version {dataset.version}")
    return dataset


def _train(
    outputs: PlatformOutputs, workload: Workload, dataset: Dataset, progress: Progress
) -> tuple[Trained, Candidate]:
    code_uri = package.upload(workload.code, f"s3://{outputs.storage.artifacts_bucket}/code/{workload.name}")
    job = Job(
        workload=workload.name,
        program=workload.program,
        code_uri=code_uri,
        channels=dataset.channels,
        data_version=dataset.version,
        hyperparameters=workload.hyperparameters,
    )
    trained = train(outputs, job, progress)
    return trained, Candidate(
        name=workload.name,
        job_name=trained.job_name,
        model_uri=trained.model_uri,
        data_version=dataset.version,
        data_uri=dataset.channels["train"],
        parameters=workload.hyperparameters,
        image_uri=trained.image_uri,
        code_uri=code_uri,
    )


def _register(
    outputs: PlatformOutputs, tracking: Tracking, candidate: Candidate, workload: Workload, progress: Progress
) -> _Registered:
    """Register the version and its package; a model that the workload objects to is rejected and goes no further."""
    group = _registry(outputs).model_package_group
    serving = platform_serving(outputs)
    with archive.opened(candidate.model_uri) as model:
        version = tracking.register(candidate, model.folder, model.metrics, progress)
        progress("registry", f"{version.name} version {version.version}{'' if version.new else ' was there before'}")
        arn = packages.register(group, candidate, version, serving.image.uri)
        objections = workload.objections(model.metrics)
        packages.decide(arn, objections)
        if objections:
            raise GateError(f"{version.name} version {version.version} is not released: {'; '.join(objections)}")
        tracking.alias(version, CANDIDATE)
        return _Registered(version, arn, pd.read_parquet(model.scores))


def _release(
    outputs: PlatformOutputs,
    candidate: Candidate,
    registered: _Registered,
    deploy: Callable[[], object],
    progress: Progress,
) -> bool:
    """Make the endpoint serve the model: through `up` the first time, through a rollout from then on."""
    serving = platform_serving(outputs)
    published = release.read(serving)
    wanted = release.replace(
        serving,
        published,
        ReleasedModel(
            version=registered.version.version,
            image_uri=serving.image.uri,
            model_data_url=candidate.model_uri,
            model_package_arn=registered.package_arn,
        ),
    )
    if endpoint.describe(serving.endpoint) is None:
        release.publish(serving, wanted)
        progress("serving", f"release version {registered.version.version}: `up` creates {serving.endpoint}")
        deploy()
        endpoint.in_service(serving.endpoint, progress=progress)
        return True
    rolled_out = rollout.roll_out(outputs, wanted, progress)
    # Published once it serves: a release that was rolled back must not come with the next `up`.
    release.publish(serving, wanted)
    retire.superseded(serving, progress)
    return rolled_out


def _ask(endpoint_name: str, sample: Sample) -> list[tuple[int, Predictions]]:
    """Answers for the sample's rows in order, with the batch size of each part."""
    parts = [(1, sample.rows.iloc[:SINGLE_ROWS]), (BATCH_ROWS, sample.rows.iloc[SINGLE_ROWS:])]
    return [(batch, predict(endpoint_name, rows, batch=batch)) for batch, rows in parts if len(rows)]


def _same_rows(scores: pd.DataFrame, sample: Sample) -> dict[str, Scores]:
    """Scores of the sample's rows from training, in the sample's order."""
    chosen = scores.set_index("id").loc[list(sample.ids)]
    return {str(name): chosen[name].to_numpy(np.float64) for name in chosen.columns}


def _difference(served: Scores, trained: Scores) -> float:
    difference = float(np.abs(served - trained).max())
    if difference > LARGEST_DIFFERENCE:
        raise PipelineError(
            f"the endpoint's scores differ from the trained model's by up to {difference:.2e}, allowed is "
            f"{LARGEST_DIFFERENCE:.0e}: another model serves, or its input is read differently"
        )
    return difference
