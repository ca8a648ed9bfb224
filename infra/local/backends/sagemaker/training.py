"""One training job: inputs, the image's `train` program as a process, artifacts, and the states in between."""

import re
import shutil
import threading
import time
from pathlib import Path

from moto.core.utils import utcnow

from infra.local.backends.ecr import ImageMissingError, image_folder
from infra.local.backends.machine import machine
from infra.local.backends.members import Document, rows, section
from infra.local.backends.sagemaker.documents import TrainingJob
from infra.local.backends.sagemaker.layout import InputError, Layout, copy_down, copy_up
from infra.local.backends.stores import Location, LogStream, Metrics, MissingBucketError, Objects
from infra.local.runtime import Image, ImageError, Process, Spec, prepare, unprivileged

GROUP = "/aws/sagemaker/TrainingJobs"
_STOP_GRACE = 120.0
"""Seconds SageMaker gives a program between SIGTERM and SIGKILL."""
_CHECKPOINT_SECONDS = 5.0


class TrainingRun:
    """Carries a job from Starting to its end on a thread of its own."""

    def __init__(self, job: TrainingJob, account: str, region: str) -> None:
        self.job, self.account, self.region = job, account, region
        self.request: Document = job.request
        self._objects = Objects(account)
        self._log = LogStream(account, region, GROUP, f"{job.name}/algo-1-{int(time.time())}")
        self._metrics = Metrics(account, region)
        self._patterns = [
            (definition["Name"], re.compile(definition["Regex"]))
            for definition in rows(self.request["AlgorithmSpecification"], "MetricDefinitions")
        ]
        self._checkpointed: dict[Path, tuple[int, int]] = {}
        job.move("Starting", "Preparing the instances for training")

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._run, name=f"training {self.job.name}", daemon=True).start()

    def _run(self) -> None:
        root = machine().supervisor.data / "training" / self.job.name
        try:
            self._steps(Layout(root))
        except (InputError, ImageError) as error:
            self._fail(str(error))
        except ImageMissingError as error:
            self._fail(
                "ClientError: Cannot pull algorithm container. "
                f"Either the image does not exist or its permissions are incorrect. ({error})"
            )
        except MissingBucketError as error:
            self._fail(f"ClientError: Artifact upload failed: {error}")
        except Exception as error:  # noqa: BLE001 - a fault of ours must end the job, not leave it in progress for ever
            self._fail(f"InternalServerError: {error!r}")
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def _steps(self, layout: Layout) -> None:
        job, request = self.job, self.request
        algorithm = request["AlgorithmSpecification"]
        folder = image_folder(algorithm["TrainingImage"])
        prepare(folder, self._log.write)
        image = Image.read(folder)
        if self._stopped_early():
            return
        job.training_start_time = utcnow()
        job.move("Downloading", "Downloading input data")
        layout.configure(request)
        for channel in rows(request, "InputDataConfig"):
            layout.download(channel, self._objects, request["RoleArn"])
        checkpoints = self._restore_checkpoints(layout)
        if self._stopped_early():
            return
        job.move("Training", "Training image download completed. Training in progress.")
        process = self._launch(image, layout)
        outcome = self._await(process, checkpoints)
        if checkpoints is not None:
            copy_up(self._objects, checkpoints[1], checkpoints[0], self._checkpointed)
        ended = process.wait(10.0)
        code = ended.code if ended else 137
        failure = layout.failure()
        if outcome is None and (code != 0 or failure):
            self._fail(
                f"AlgorithmError: {failure or 'the program ended without a message; see its log'}, exit code: {code}"
            )
            return
        job.move("Uploading", "Uploading generated training model")
        target = Location.parse(request["OutputDataConfig"]["S3OutputPath"])
        job.model_artifacts = layout.upload(self._objects, Location(target.bucket, target.below(job.name)))
        if outcome is None:
            job.move("Completed", "Training job completed", status="Completed")
        else:
            job.move(outcome, "Training job stopped", status="Stopped")

    def _launch(self, image: Image, layout: Layout) -> Process:
        request = self.request
        algorithm = request["AlgorithmSpecification"]
        entrypoint = algorithm.get("ContainerEntrypoint")
        command = algorithm.get("ContainerArguments") or ([] if entrypoint else ["train"])
        user = image.user_among(unprivileged())
        layout.own(user)
        here = machine()
        # An isolated container has no route to any service, so it is told of none.
        reachable = {} if request.get("EnableNetworkIsolation") else here.container_environment(self.region)
        settings = {
            **reachable,
            "AWS_REGION": self.region,
            "TRAINING_JOB_NAME": self.job.name,
            "TRAINING_JOB_ARN": self.job.arn,
            **section(request, "Environment"),
            "SAGEMAKER_BASE_DIR": str(layout.root),
            "TMPDIR": str(layout.scratch),
            "HOME": str(layout.scratch),
        }
        spec = Spec(
            name=f"training-{self.job.name}",
            command=image.arguments(command, entrypoint),
            folder=image.folder,
            environment=image.settings(settings),
            log=here.supervisor.logs / f"training-{self.job.name}.log",
            user=user,
            on_line=self._line,
            grace=_STOP_GRACE,
        )
        try:
            return here.supervisor.start(spec)
        except OSError as error:
            raise ImageError(
                f"AlgorithmError: exec {spec.command[0]!r} failed: {error.strerror}, exit code: 127"
            ) from error

    def _await(self, process: Process, checkpoints: tuple[Path, Location] | None) -> str | None:
        """Wait for the end of the program, or end it; the secondary status when it was ended, else None."""
        limit = section(self.request, "StoppingCondition").get("MaxRuntimeInSeconds", 86400)
        deadline = time.monotonic() + limit
        next_copy = time.monotonic() + _CHECKPOINT_SECONDS
        while process.wait(0.1) is None:
            if self.job.stop_requested.is_set():
                process.stop()
                return "Stopped"
            if time.monotonic() > deadline:
                self.job.move("Stopping", "Training job exceeded its maximum runtime", status="Stopping")
                process.stop()
                return "MaxRuntimeExceeded"
            if checkpoints is not None and time.monotonic() > next_copy:
                copy_up(self._objects, checkpoints[1], checkpoints[0], self._checkpointed)
                next_copy = time.monotonic() + _CHECKPOINT_SECONDS
        return None

    def _restore_checkpoints(self, layout: Layout) -> tuple[Path, Location] | None:
        config = self.request.get("CheckpointConfig")
        if not config:
            return None
        where = Location.parse(config["S3Uri"].rstrip("/") + "/")
        folder = layout.inside(config.get("LocalPath") or "/opt/ml/checkpoints")
        copy_down(self._objects, where, self._objects.keys(where.bucket, where.prefix), folder)
        for path in folder.rglob("*"):
            if path.is_file():
                stat = path.stat()
                self._checkpointed[path] = (stat.st_mtime_ns, stat.st_size)
        return folder, where

    def _stopped_early(self) -> bool:
        if not self.job.stop_requested.is_set():
            return False
        self.job.move("Stopped", "Training job stopped", status="Stopped")
        return True

    def _fail(self, reason: str) -> None:
        self.job.failure_reason = reason[:1024]
        self.job.move("Failed", "Training job failed", status="Failed")

    def _line(self, line: str) -> None:
        self._log.write(line)
        for name, pattern in self._patterns:
            found = pattern.search(line)
            if found is None:
                continue
            try:
                value = float(found.group(1) if pattern.groups else found.group(0))
            except (ValueError, TypeError):
                continue
            with self.job.lock:
                self.job.metrics[name] = {"MetricName": name, "Value": value, "Timestamp": utcnow()}
            self._metrics.put(
                "/aws/sagemaker/TrainingJobs", name, {value: 1}, {"TrainingJobName": self.job.name}, "None"
            )
