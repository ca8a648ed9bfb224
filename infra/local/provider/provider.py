"""The Pulumi provider `aws`: the table and the life cycle behind Pulumi's provider interface."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue

from infra.local.errors import LocalError

from . import lifecycle, schema
from .check import DEFAULTED, completed, failures
from .cloud import Cloud, Settings
from .compare import Difference, differences, needs_replacement
from .handler import Handler
from .invokes import INVOKES
from .table import TABLE
from .values import UNKNOWN, is_mapping, mapping, plain, plain_map, secret_names, sequence, wrap_map

COVERAGE = "infra/local/COVERAGE.md"

T = TypeVar("T")


class AwsProvider(api.Provider):
    """Deploys onto the AWS at a loopback endpoint, AWS_ENDPOINT_URL unless one is given.

    Calls of boto3 block, so each runs in a thread of the provider's own; any number may be under way at once.
    One instance has one configuration.
    """

    unknown = PropertyValue.computed()
    """How an unknown is handed to the engine."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._cloud = Cloud(endpoint)
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="aws")

    async def get_schema(self, request: api.GetSchemaRequest) -> api.GetSchemaResponse:  # noqa: ARG002 - one schema, whatever is asked
        """A schema with the types' tokens only: programs use the SDK's own."""
        return api.GetSchemaResponse(json.dumps({"name": "aws", "resources": {token: {} for token in TABLE}}))

    async def check_config(self, request: api.CheckRequest) -> api.CheckResponse:
        """Accepts the AWS provider's configuration, and refuses an endpoint that is not this machine's."""
        try:
            self._cloud.endpoint()
        except LocalError as error:
            return api.CheckResponse(inputs=request.new_inputs, failures=[api.CheckFailure("endpoints", str(error))])
        return api.CheckResponse(inputs=request.new_inputs)

    async def diff_config(self, request: api.DiffRequest) -> api.DiffResponse:
        """A provider of another region manages other resources; anything else changes in place."""
        old, new = plain_map(request.old_state), plain_map(request.new_inputs)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        replaces = [name for name in changed if name == "region"]
        return api.DiffResponse(changes=bool(changed), replaces=replaces, diffs=changed)

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:
        """Takes region, defaultTags and allowedAccountIds; the rest steers what only the real AWS has."""
        given = {name: _parsed(value) for name, value in plain_map(request.args).items()}
        tags = mapping(given.get("defaultTags"))
        self._cloud.settings = Settings(
            region=given.get("region") or "eu-west-1",
            default_tags=mapping(tags.get("tags")) if is_mapping(tags) else {},
            allowed_account_ids=tuple(str(one) for one in sequence(given.get("allowedAccountIds"))),
        )
        return api.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_resources=False, accept_outputs=False
        )

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        """Completes the inputs and names everything that is wrong with them."""
        handler = self.handler(request.type)
        new, old = plain_map(request.new_inputs), plain_map(request.old_inputs)
        inputs = completed(handler.spec, request.urn, request.name, request.random_seed or b"", old, new)
        wrong = await self.in_thread(lambda: failures(self._cloud, handler, inputs))
        checked = {name: value for name, value in request.new_inputs.items() if name in new}
        checked |= wrap_map({name: value for name, value in inputs.items() if name not in new}, unknown=self.unknown)
        return api.CheckResponse(
            inputs=checked, failures=[api.CheckFailure(failure.path, failure.reason) for failure in wrong]
        )

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:
        """What the resource has otherwise than the inputs want, by path, and whether that takes a new one."""
        handler = self.handler(request.type)
        state, inputs = plain_map(request.old_state), plain_map(request.new_inputs)
        ignored = {_top(path) for path in request.ignore_changes}
        found = [one for one in differences(handler.spec, state, inputs) if _top(one.path) not in ignored]
        found += self._default_tag_differences(handler, state, inputs)
        replacing = [one for one in found if needs_replacement(handler.spec, one)]
        name = handler.spec.name
        kept_name = (
            name is not None
            and name.property not in inputs.get(DEFAULTED, ())
            and state.get(name.property) == inputs.get(name.property)
        )
        return api.DiffResponse(
            changes=bool(found),
            replaces=sorted({one.path for one in replacing}),
            diffs=sorted({_top(one.path) for one in found}),
            detailed_diff={one.path: _kind(one, replaces=one in replacing) for one in found},
            delete_before_replace=bool(replacing) and (handler.spec.delete_before_replace or kept_name),
        )

    def _default_tag_differences(
        self, handler: Handler, state: dict[str, Any], inputs: dict[str, Any]
    ) -> list[Difference]:
        """Tags that the provider's configuration adds, where the resource's own are as wanted."""
        own = mapping(inputs.get("tags"))
        if not handler.spec.tags or not is_mapping(own) or UNKNOWN in own.values():
            return []
        wanted = {**self._cloud.settings.default_tags, **own}
        actual = mapping(state.get("tagsAll"))
        if wanted == actual or own != mapping(state.get("tags")):
            return []
        return [Difference("tagsAll", "tagsAll", actual, wanted)]

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        """Makes the resource; adopts and completes what an interrupted create has left."""
        handler, inputs = self.handler(request.type), plain_map(request.properties)
        if request.preview:
            return api.CreateResponse("", self._planned(handler, {}, request.properties))
        resource_id, outputs = await self.in_thread(
            lambda: lifecycle.create(self._cloud, handler, request.name, inputs)
        )
        return api.CreateResponse(resource_id, self._wrap(handler, outputs, request.properties))

    async def read(self, request: api.ReadRequest) -> api.ReadResponse:
        """The resource as it is now; an empty id when it is gone."""
        handler = self.handler(request.type)
        state, inputs = plain_map(request.properties), plain_map(request.inputs)
        found = await self.in_thread(lambda: lifecycle.read(self._cloud, handler, request.resource_id, state, inputs))
        if found is None:
            return api.ReadResponse("", {}, {})
        outputs, now = found
        secrets = secret_names(request.inputs) | secret_names(request.properties) | handler.spec.secrets
        return api.ReadResponse(
            request.resource_id,
            self._wrap(handler, outputs, {**request.properties, **request.inputs}),
            wrap_map(now, secrets, self.unknown),
        )

    async def update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        """Brings the resource to what the inputs want."""
        handler, state = self.handler(request.type), plain_map(request.olds)
        if request.preview:
            return api.UpdateResponse(self._planned(handler, state, request.news))
        inputs = plain_map(request.news)
        for name in {_top(path) for path in request.ignore_changes}:
            if name in state:
                inputs[name] = state[name]
        outputs = await self.in_thread(
            lambda: lifecycle.update(self._cloud, handler, request.resource_id, state, inputs)
        )
        return api.UpdateResponse(self._wrap(handler, outputs, {**request.olds, **request.news}))

    async def delete(self, request: api.DeleteRequest) -> None:
        """Deletes the resource; one that is gone already is success."""
        handler, state = self.handler(request.type), plain_map(request.properties)
        await self.in_thread(lambda: lifecycle.delete(self._cloud, handler, request.resource_id, state))

    async def invoke(self, request: api.InvokeRequest) -> api.InvokeResponse:
        """Answers the functions of the table."""
        arguments = plain_map(request.args)
        result = await self.in_thread(lambda: _function(request.tok)(self._cloud, arguments))
        secrets = {"values"} if "ssm/" in request.tok else set[str]()
        return api.InvokeResponse(wrap_map(result, secrets, self.unknown))

    def handler(self, qualified_type: str) -> Handler:
        """The handler of a type; LocalError for one that is not in the table."""
        token = qualified_type.rsplit("$", 1)[-1]
        if token not in TABLE:
            raise LocalError(
                f"{token} is no resource type the local provider knows; see {COVERAGE} for those it does. "
                "Use one of these, or add a row to infra/local/provider/services."
            )
        return TABLE[token]

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What the work returns, done in a thread of the provider's own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _wrap(
        self, handler: Handler, outputs: dict[str, Any], given: dict[str, PropertyValue]
    ) -> dict[str, PropertyValue]:
        return wrap_map(outputs, secret_names(given) | handler.spec.secrets, self.unknown)

    def _planned(
        self, handler: Handler, state: dict[str, Any], inputs: dict[str, PropertyValue]
    ) -> dict[str, PropertyValue]:
        """Outputs as far as they are known before the fact."""
        promised = schema.type_schema(handler.spec.type)
        planned: dict[str, Any] = dict.fromkeys(promised.outputs, UNKNOWN) if not state else dict(state)
        for name in promised.inputs.keys() - handler.spec.computed:
            planned.pop(name, None)
        planned |= {name: plain(value) for name, value in inputs.items() if name in promised.outputs}
        if handler.spec.tags and not isinstance(planned.get("tags"), type(UNKNOWN)):
            planned["tagsAll"] = {**self._cloud.settings.default_tags, **mapping(planned.get("tags"))}
        if "region" in promised.outputs:
            stated = planned.get("region")
            planned["region"] = self._cloud.settings.region if stated in (None, UNKNOWN) else stated
        return self._wrap(handler, planned, inputs)


def _function(token: str) -> Callable[[Cloud, dict[str, Any]], dict[str, Any]]:
    if token not in INVOKES:
        raise LocalError(
            f"{token} is no function the local provider knows; see {COVERAGE} for those it does. "
            "Use one of these, or add it to infra/local/provider/invokes.py."
        )
    return INVOKES[token]


def _parsed(value: Any) -> Any:
    """A setting of an explicit provider, which Pulumi hands over as JSON text."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return json.loads(value)
    return value


def _top(path: str) -> str:
    return path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]


def _kind(difference: Difference, *, replaces: bool) -> api.PropertyDiff:
    if difference.before is None:
        kinds = (api.PropertyDiffKind.ADD, api.PropertyDiffKind.ADD_REPLACE)
    elif difference.after is None:
        kinds = (api.PropertyDiffKind.DELETE, api.PropertyDiffKind.DELETE_REPLACE)
    else:
        kinds = (api.PropertyDiffKind.UPDATE, api.PropertyDiffKind.UPDATE_REPLACE)
    return api.PropertyDiff(kinds[int(replaces)], input_diff=False)
