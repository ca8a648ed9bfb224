"""Deployments by the Pulumi CLI, driven through its Automation API."""

import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation

from cli._deployment import OnEvent
from cli._target import PROJECT, ROOT, Target, passphrase
from infra.local import server
from infra.local.engine import Event, Operation, ResourceChange, Result, Status, bind_to_cloud, no_changes
from infra.local.errors import LocalError

_OPERATIONS = {
    "same": Operation.SAME,
    "create": Operation.CREATE,
    "create-replacement": Operation.REPLACE,
    "replace": Operation.REPLACE,
    "update": Operation.UPDATE,
    "delete": Operation.DELETE,
    "delete-replaced": Operation.REPLACE,
    "read": Operation.READ,
    "refresh": Operation.REFRESH,
    "import": Operation.IMPORT,
}


def open_stack(target: Target, on_event: OnEvent) -> "CliDeployment":
    """The stack as the CLI sees it; made in its backend when it is not there yet."""
    return CliDeployment(target, on_event)


class CliDeployment:
    """One stack in the CLI's hands: its own backend, or this machine's for a stack on the embedded AWS."""

    def __init__(self, target: Target, on_event: OnEvent) -> None:
        self._target = target
        self._on_event = on_event
        self._changes: dict[str, ResourceChange] = {}
        self._errors: list[str] = []
        variables: dict[str, str] = {"PULUMI_SKIP_UPDATE_CHECK": "1"}
        folder = ROOT
        if target.endpoint is not None:
            variables |= self._embedded_variables()
            folder = self._project_copy()
        with self._told():
            self._stack = automation.create_or_select_stack(
                stack_name=target.stack,
                work_dir=str(folder),
                opts=automation.LocalWorkspaceOptions(env_vars=variables),
            )

    def up(self) -> Result:
        """Make what is there match the program, gated by the policy pack."""
        return self._run(lambda: self._stack.up(on_event=self._event, policy_packs=[str(ROOT / "policies")]))

    def preview(self) -> Result:
        """Plan `up` and change nothing."""
        return self._run(lambda: self._stack.preview(on_event=self._event, policy_packs=[str(ROOT / "policies")]))

    def refresh(self) -> Result:
        """Read every resource and record what was found."""
        return self._run(lambda: self._stack.refresh(on_event=self._event))

    def destroy(self) -> Result:
        """Delete everything the stack made."""
        return self._run(lambda: self._stack.destroy(on_event=self._event))

    def outputs(self) -> dict[str, Any]:
        """Outputs of the last deployment, secrets masked."""
        with self._told():
            found = self._stack.outputs()
        return {name: "[secret]" if output.secret else output.value for name, output in found.items()}

    def _run(self, operation: Callable[[], object]) -> Result:
        self._changes.clear()
        self._errors.clear()
        with self._told():
            operation()
        counts = no_changes()
        for change in self._changes.values():
            done = change["operation"]
            kind = {Operation.IMPORT: "create", Operation.READ: "same"}.get(done, done.value)
            if kind in counts:
                counts[kind] += 1
        return Result(changes=counts, resources=list(self._changes.values()), outputs=self.outputs())

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except automation.CommandError as error:
            raise LocalError(f"the Pulumi CLI stopped: {reason(self._errors, str(error))}") from None

    def _event(self, event: automation.EngineEvent) -> None:
        """Pass a step of the CLI on as an event of ours, and keep what it did."""
        if event.resource_pre_event is not None:
            self._on_event(_translated(event.resource_pre_event.metadata, Status.STARTED))
        elif event.res_outputs_event is not None:
            translated = _translated(event.res_outputs_event.metadata, Status.DONE)
            self._on_event(translated)
            self._keep(event.res_outputs_event.metadata, translated)
        elif event.res_op_failed_event is not None:
            self._on_event(_translated(event.res_op_failed_event.metadata, Status.FAILED))
        elif event.policy_event is not None:
            policy = event.policy_event
            self._on_event(
                Event(
                    policy.resource_urn or "", "", policy.policy_name, Operation.POLICY, Status.WARNING, policy.message
                )
            )
        elif event.diagnostic_event is not None and event.diagnostic_event.severity in {"error", "warning"}:
            diagnostic = event.diagnostic_event
            status = Status.FAILED if diagnostic.severity == "error" else Status.WARNING
            message = diagnostic.message.strip()
            if status is Status.FAILED:
                self._errors.append(message)
            self._on_event(Event(diagnostic.urn or "", "", "", Operation.NOTE, status, message))

    def _keep(self, metadata: automation.StepEventMetadata, event: Event) -> None:
        """Remember what became of a resource: a component is told of twice, a replacement in three steps."""
        known = self._changes.get(event.urn)
        if metadata.op != "delete-replaced" and (known is None or known["operation"] is Operation.SAME):
            self._changes[event.urn] = _change(metadata, event)

    def _embedded_variables(self) -> dict[str, str]:
        from infra.local.provider import write_plugin  # noqa: PLC0415 - only stacks on the embedded AWS need the plugin

        self._target.state.mkdir(parents=True, exist_ok=True)
        if cloud := server.status(self._target.home):
            self._bind(cloud.cloud_id)
        plugins = write_plugin(self._target.home / "bin").parent
        return {
            "PULUMI_BACKEND_URL": f"file://{self._target.state}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase(self._target.home)),
            "PATH": f"{plugins}{os.pathsep}{os.environ['PATH']}",
        }

    def _bind(self, cloud_id: str) -> None:
        if kept := bind_to_cloud(self._target.state, PROJECT, self._target.stack, cloud_id):
            message = f"the cloud this stack was made on is gone: starting anew; its state is kept as {kept}"
            self._on_event(Event("", "", "", Operation.NOTE, Status.INFO, message))

    def _project_copy(self) -> Path:
        """A project in the home whose program is the repository's: the CLI writes its salt into its stack files."""
        folder = self._target.home / "pulumi"
        folder.mkdir(exist_ok=True)
        project: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        project |= {"main": str(ROOT), "stackConfigDir": "."}
        options = project["runtime"]["options"]
        options["virtualenv"] = str(ROOT / options["virtualenv"])
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        shutil.copyfile(self._target.stack_file, folder / self._target.stack_file.name)
        return folder


def reason(diagnostics: list[str], output: str) -> str:
    """Why the CLI stopped, on one line: its diagnostics, else the error lines of its output, else all of that."""
    said = diagnostics or re.findall(r"error: .*", output) or [output]
    return "; ".join(dict.fromkeys(" ".join(each.split()).removeprefix("error: ") for each in said))


def _translated(metadata: automation.StepEventMetadata, status: Status) -> Event:
    operation = _OPERATIONS.get(metadata.op, Operation.NOTE)
    return Event(metadata.urn, metadata.type, metadata.urn.rsplit("::", 1)[-1], operation, status)


def _change(metadata: automation.StepEventMetadata, event: Event) -> ResourceChange:
    """The CLI does not tell which resources a property's value came from: `propertyDependencies` is empty."""
    return ResourceChange(
        urn=event.urn,
        type=event.type,
        name=event.name,
        operation=event.operation,
        id=metadata.new.id if metadata.new else "",
        keys=list(metadata.diffs or []),
        parent=metadata.new.parent if metadata.new else "",
        inputs=dict(metadata.new.inputs or {}) if metadata.new else {},
        protect=bool(metadata.new and metadata.new.protect),
        propertyDependencies={},
    )
