"""The table: every resource type the provider knows, by its token."""

from .handler import Handler
from .services import ec2_network, ec2_security, iam, kms, s3

TABLE: dict[str, Handler] = {
    handler.spec.token: handler
    for module in (ec2_network, ec2_security, iam, kms, s3)
    for handler in module.HANDLERS
}
