"""What SageMaker's instance types allow. Pure."""

import re

_OWN_STORAGE = re.compile(r"([cmr]\d+[a-z]*d[a-z]*|g4dn|g5|g6e?|gr6|i\d[a-z]*|p3dn|p4de?|p5(en?)?|trn\d+n?)")


def has_own_storage(instance_type: str) -> bool:
    """Whether an instance type, as `ml.g5.xlarge`, brings storage that it encrypts itself.

    SageMaker refuses a volume key for such types: API reference, ResourceConfig.VolumeKmsKeyId and
    CreateEndpointConfig.KmsKeyId. The families are those with instance store volumes in the EC2 user guide.
    """
    family = instance_type.removeprefix("ml.").split(".")[0]
    return _OWN_STORAGE.fullmatch(family) is not None
