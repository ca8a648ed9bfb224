"""The Pulumi provider `aws` over boto3, for the AWS on this machine."""

from .plugin import write_plugin
from .provider import AwsProvider

__all__ = ["AwsProvider", "write_plugin"]
