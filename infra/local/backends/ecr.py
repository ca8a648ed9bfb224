"""ECR whose images are folders of this repository: an annotation of the manifest names the folder."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from moto.ecr.exceptions import InvalidParameterException, RepositoryNotFoundException
from moto.ecr.models import ECRBackend, ecr_backends
from moto.ecr.models import Image as StoredImage

from infra.local.backends.faults import fault
from infra.local.backends.machine import ROOT

ANNOTATION = "mlp.image.folder"
_URI = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)


class ImageMissingError(LookupError):
    """No image answers to a URI; the text is the sentence a container engine would say."""


class LiveEcr(ECRBackend):
    """Repositories that take folders as images."""

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> StoredImage:
        """Keep a manifest whose annotation names an image folder; its digest is the hash of the manifest."""
        if repository_name not in self.repositories:
            raise RepositoryNotFoundException(repository_name, self.account_id)
        try:
            folder = json.loads(image_manifest).get("annotations", {}).get(ANNOTATION)
        except (ValueError, AttributeError) as error:
            raise InvalidParameterException(
                "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
            ) from error
        if not folder or not (ROOT / folder / "Dockerfile").is_file():
            raise InvalidParameterException(
                f"Invalid parameter at 'imageManifest': annotation {ANNOTATION!r} must name a folder "
                f"with a Dockerfile, got {folder!r}"
            )
        computed = "sha256:" + hashlib.sha256(image_manifest.encode()).hexdigest()
        if digest is not None and digest != computed:
            raise InvalidParameterException(f"Image digest does not match: the manifest's is {computed}")
        repository = self.repositories[repository_name]
        taken = any(
            image_tag in image.image_tags and image.get_image_digest() != computed for image in repository.images
        )
        if taken and repository.image_tag_mutability == "IMMUTABLE":
            raise fault(
                "ecr",
                "ImageTagAlreadyExistsException",
                f"The image tag '{image_tag}' already exists in the '{repository_name}' repository and cannot be "
                "overwritten because the tag is immutable.",
            )
        return super().put_image(repository_name, image_manifest, image_tag, image_manifest_mediatype, computed)


LiveEcr.__module__ = ECRBackend.__module__


def install() -> None:
    """Put the backend in place."""
    ecr_backends.backend = LiveEcr


def image_folder(uri: str) -> Path:
    """Folder of the image that `uri` names.

    Raises:
        ImageMissingError: not an ECR URI, or no such repository, tag or digest.
    """
    match = _URI.match(uri)
    if match is None:
        raise ImageMissingError(f"{uri} is no image of an ECR repository")
    backend: Any = ecr_backends[match["account"]][match["region"]]
    repository = backend.repositories.get(match["name"])
    if repository is None:
        raise ImageMissingError(f"repository {match['name']} does not exist")
    tag, digest = match["tag"], match["digest"]
    for image in repository.images:
        by_digest = digest is not None and image.get_image_digest() == digest
        by_tag = digest is None and (tag or "latest") in image.image_tags
        if by_digest or by_tag:
            return ROOT / json.loads(image.image_manifest)["annotations"][ANNOTATION]
    raise ImageMissingError(f"{uri}: not found")
