"""Images into ECR: a folder's content hash is its tag, so an image that is there is never made again."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing
from pipelines.errors import PipelineError
from pipelines.progress import Progress, silent
from stacks.outputs import Image

FOLDER_ANNOTATION = "mlp.image.folder"
"""Annotation of an image manifest that names the folder, below the repository root, that the image stands for."""

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIGURATION = "application/vnd.oci.image.config.v1+json"


class Images(Protocol):
    """A way to bring an image into its ECR repository."""

    def publish(self, image: Image, progress: Progress) -> None:
        """Make the image exist under its address. Raises PipelineError."""
        ...


def ensure(image: Image, publisher: Images, progress: Progress = silent) -> bool:
    """Publish the image unless it is there; whether it was published just now. Raises PipelineError."""
    if exists(image):
        return False
    progress("images", f"publish {image.folder} as {image.uri}")
    publisher.publish(image, progress)
    return True


def exists(image: Image) -> bool:
    """Whether ECR holds the image's tag. Raises PipelineError when there is no such repository."""
    try:
        aws.ecr().describe_images(repositoryName=image.repository, imageIds=[{"imageTag": tag(image)}])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "RepositoryNotFoundException":
            raise PipelineError(f"there is no ECR repository {image.repository}; call `mlp up` first") from None
        if is_missing(error):
            return False
        raise
    return True


def tag(image: Image) -> str:
    """The tag in the image's address."""
    return image.uri.rpartition(":")[2]


class FolderImages:
    """Registers the folder itself, for an AWS that runs image folders."""

    def __init__(self, root: Path) -> None:
        """`root` is the repository that image folders lie in."""
        self._root = root

    def publish(self, image: Image, progress: Progress) -> None:
        """Put an OCI manifest with no layers whose annotation names the folder."""
        del progress
        folder = self._root / image.folder
        if not (folder / "Dockerfile").is_file():
            raise PipelineError(f"{folder} has no Dockerfile: it is no image folder; check `folder` in the outputs")
        try:
            aws.ecr().put_image(
                repositoryName=image.repository,
                imageTag=tag(image),
                imageManifest=json.dumps(manifest(image.folder), sort_keys=True),
                imageManifestMediaType=_MANIFEST,
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ImageAlreadyExistsException":
                raise


def manifest(folder: str) -> dict[str, object]:
    """An OCI image manifest that stands for a folder."""
    empty = b"{}"
    digest = f"sha256:{hashlib.sha256(empty).hexdigest()}"
    return {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIGURATION, "size": len(empty), "digest": digest},
        "layers": [],
        "annotations": {FOLDER_ANNOTATION: folder},
    }


class ContainerEngineImages:
    """Builds with a container engine on this machine and pushes."""

    def __init__(self, root: Path, engines: tuple[str, ...] = ("docker", "podman")) -> None:
        """`engines` are the commands looked for on PATH, first come first served."""
        self._root = root
        self._engines = engines

    def publish(self, image: Image, progress: Progress) -> None:
        """Build for linux/amd64, log in to ECR and push."""
        engine = next((path for name in self._engines if (path := shutil.which(name))), None)
        if engine is None:
            raise PipelineError(
                f"{image.folder} must be built, and none of {', '.join(self._engines)} is on PATH; install one, "
                "or push the image from a machine that has one"
            )
        progress("images", f"build {image.folder}")
        folder = self._root / image.folder
        _call([engine, "build", "--platform", "linux/amd64", "--tag", image.uri, str(folder)])
        self._log_in(engine)
        progress("images", f"push {image.uri}")
        _call([engine, "push", image.uri])

    def _log_in(self, engine: str) -> None:
        grant = aws.ecr().get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(grant.get("authorizationToken", "")).decode().partition(":")
        registry = grant.get("proxyEndpoint", "")
        # The password goes through standard input: arguments are readable by every process of the machine.
        _call([engine, "login", "--username", user, "--password-stdin", registry], secret=password)


def _call(command: list[str], *, secret: str | None = None) -> None:
    ended = subprocess.run(  # noqa: S603 - fixed words and our own addresses, no shell
        command, input=secret, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        last = "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-10:])
        raise PipelineError(f"`{' '.join(command[:2])}` ended with status {ended.returncode}:\n{last}")
