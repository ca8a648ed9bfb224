"""A provider `aws` that keeps what it is given and adds an id and an ARN: all that a policy pack needs to look at.

`python -m tests.policies.echo` serves it as a plugin.
"""

import sys

from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental import server
from pulumi.provider.experimental.property_value import PropertyValue

VERSION = "7.51.1"


class EchoProvider(api.Provider):
    """Accepts everything and does nothing."""

    async def check_config(self, request: api.CheckRequest) -> api.CheckResponse:
        return api.CheckResponse(inputs=request.new_inputs)

    async def diff_config(self, request: api.DiffRequest) -> api.DiffResponse:  # noqa: ARG002 - the interface's
        return api.DiffResponse()

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:  # noqa: ARG002 - the interface's
        return api.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_resources=True, accept_outputs=True
        )

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        return api.CheckResponse(inputs=request.new_inputs)

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        if request.preview:
            return api.CreateResponse(resource_id="", properties=request.properties)
        name = request.urn.rpartition("::")[2]
        arn = PropertyValue(f"arn:aws:any:eu-west-1:123456789012:{name}")
        return api.CreateResponse(resource_id=f"{name}-1234", properties={**request.properties, "arn": arn})

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:  # noqa: ARG002 - the interface's
        return api.DiffResponse()

    async def delete(self, request: api.DeleteRequest) -> None:
        """Nothing is there to delete."""


if __name__ == "__main__":
    server.main(sys.argv[1:], VERSION, EchoProvider())
