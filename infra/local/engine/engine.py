"""The embedded deployment engine: a stack's operations, in this process."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from infra.local.engine import checkpoint as checkpoints
from infra.local.engine import config as configuration
from infra.local.engine import policies, sdk, steps
from infra.local.engine.checkpoint import Files
from infra.local.engine.config import StackConfiguration
from infra.local.engine.context import Context
from infra.local.engine.deployment import Deployment, stack_outputs
from infra.local.engine.drift import Refresh
from infra.local.engine.events import Event, Result, Status
from infra.local.engine.lock import locked
from infra.local.engine.provider_resources import RecordedProviders
from infra.local.engine.providers import Providers, ProviderSource
from infra.local.engine.removal import Removal
from infra.local.engine.reporting import Report, Stopped
from infra.local.engine.settling import settle
from infra.local.engine.state import State
from infra.local.engine.values import Properties, mask, reveal, secret

# Provider calls at once. They wait for a server most of the time, so more than there are cores.
PARALLEL = 16
# Threads that may wait in a registration: those of resources that wait for a free provider slot, too.
_THREADS_PER_CALL = 4


def _ignore(event: Event) -> None:
    del event


class Engine:
    """One stack. Every method is a whole run: it locks the stack, works, saves, and unlocks.

    Args:
        project: the project's name, as in Pulumi.yaml.
        stack: the stack's name.
        root: the program's folder.
        backend: root of the file backend; the state is at `.pulumi/stacks/<project>/<stack>.json` below it.
        passphrase: of the secrets in the state.
        providers: a provider, or something that makes one, per package.
        policy_packs: folders with a PulumiPolicy.yaml; every resource is checked against them before it is made.
        cloud_id: identity of the cloud deployed to; a state made on another one is put aside and the run starts empty.
        on_event: called with each event, from one thread at a time.
        program: what to run instead of `<root>/__main__.py`.
        config: the stack's configuration by key, instead of `<root>/stacks/Pulumi.<stack>.yaml`.
        parallel: provider calls at once.

    Every method raises LocalError, whose text is for the user: the stack is locked, the state is damaged, a resource
    failed, a mandatory policy is violated, the program made a mistake. What was done until then is saved.
    """

    def __init__(  # noqa: PLR0913 - a stack is described by this much, by keyword
        self,
        project: str,
        stack: str,
        root: Path,
        backend: Path,
        passphrase: str,
        providers: Mapping[str, ProviderSource],
        *,
        policy_packs: Sequence[Path] = (),
        cloud_id: str | None = None,
        on_event: Callable[[Event], None] = _ignore,
        program: Callable[[], Any] | None = None,
        config: Mapping[str, str] | None = None,
        parallel: int = PARALLEL,
    ) -> None:
        self._files = Files(backend.resolve(), project, stack)
        self._root = root
        self._passphrase = passphrase
        self._sources = providers
        self._policy_packs = policy_packs
        self._cloud_id = cloud_id
        self._on_event = on_event
        self._program = program
        self._config = None if config is None else StackConfiguration(dict(config))
        self._parallel = parallel

    def up(self) -> Result:
        """Make what is there match the program."""
        with self._locked(), self._opened(packs=self._policy_packs) as context:
            _settle(context)
            return self._deploy(context)

    def preview(self) -> Result:
        """What `up` would do; nothing is changed and nothing is locked."""
        with self._opened(dry_run=True, packs=self._policy_packs) as context:
            if context.state.pending():
                context.report.note("an interrupted run is not settled yet: up does that first", Status.WARNING)
            return self._deploy(context)

    def refresh(self) -> Result:
        """Read every resource, report what changed behind the stack's back, and record what is there."""
        with self._locked(), self._opened() as context:
            _settle(context)
            recorded = RecordedProviders(context.state, context.providers)
            Refresh(context.state, context.providers, context.report, recorded.prepare).run(self._parallel)
            context.report.raise_failures()
            return context.report.result(_masked(stack_outputs(context.state)))

    def destroy(self) -> Result:
        """Delete everything the stack made; a protected resource refuses it before anything is deleted."""
        with self._locked(), self._opened() as context:
            _settle(context)
            recorded = RecordedProviders(context.state, context.providers)
            removal = Removal(context.state, context.providers, context.report, recorded.prepare)
            doomed = removal.plan(key for key, _ in context.state.items())
            for resource in doomed.values():
                steps.refuse_protected(resource, "cannot be destroyed")
            removal.run(doomed, self._parallel, dry_run=False)
            context.report.raise_failures()
            return context.report.result({})

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The outputs of the last run, secrets masked unless asked for; empty before the first."""
        outputs = stack_outputs(State(self._files, self._passphrase, dry_run=True))
        return _plain(reveal(outputs)) if show_secrets else _masked(outputs)

    def _deploy(self, context: Context) -> Result:
        deployment = Deployment(context)
        run = sdk.Run(
            project=context.project,
            stack=context.stack,
            root=self._root,
            config=context.config.values,
            secret_keys=context.config.secret_keys,
            dry_run=context.dry_run,
            threads=self._parallel * _THREADS_PER_CALL,
        )
        try:
            sdk.run_program(run, self._program or sdk.main_of(self._root), deployment)
        except Exception as problem:  # noqa: BLE001 - the program's own exceptions are reported like a resource's
            # After a failure the program gets `Stopped`, whatever it makes of it; the failure itself is recorded.
            if not context.report.failures and not isinstance(problem, Stopped):
                context.report.fail("", problem)
        context.report.raise_failures()
        deployment.check_stack()
        deployment.remove_unwanted()
        context.report.raise_failures()
        return context.report.result(_masked(stack_outputs(context.state)))

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._files.backend, self._files.project, self._files.stack)

    @contextmanager
    def _opened(self, *, dry_run: bool = False, packs: Sequence[Path] = ()) -> Generator[Context]:
        """Everything a run works with; the state is saved and every process and loop ended, however the run ends."""
        files = self._files
        report = Report(self._on_event, files.log)
        empty = self._cloud_is_gone(report, dry_run=dry_run)
        config = self._configuration()
        report.conceal(*(secret(config.values[key]) for key in config.secret_keys))
        with ExitStack() as closing_stack:
            running = policies.start(packs, files.project, files.stack, config, report.note, dry_run=dry_run)
            closing_stack.callback(running.close)
            providers = closing_stack.enter_context(closing(Providers(self._sources, self._parallel)))
            state = closing_stack.enter_context(closing(State(files, self._passphrase, dry_run=dry_run, empty=empty)))
            for warning in state.warnings:
                report.note(warning, Status.WARNING)
            context = Context(
                project=files.project,
                stack=files.stack,
                config=config,
                state=state,
                providers=providers,
                report=report,
                policies=running,
                parallel=self._parallel,
                dry_run=dry_run,
            )
            try:
                yield context
            finally:
                state.save()

    def _configuration(self) -> StackConfiguration:
        files = self._files
        return self._config or configuration.load(self._root, files.project, files.stack, self._passphrase)

    def _cloud_is_gone(self, report: Report, *, dry_run: bool) -> bool:
        """Whether the state describes another cloud than this one; a state that does is put aside."""
        if self._cloud_id is None:
            return False
        gone = checkpoints.cloud_is_gone(self._files, self._cloud_id)
        if not dry_run and (kept := checkpoints.bind(self._files, self._cloud_id)):
            report.note(f"the cloud this stack was made on is gone: starting anew; its state is kept as {kept}")
        return gone


def _settle(context: Context) -> None:
    recorded = RecordedProviders(context.state, context.providers)
    settle(context.state, context.providers, context.report, recorded.prepare)


def _masked(outputs: Properties) -> dict[str, Any]:
    return _plain(mask(outputs))


def _plain(outputs: Any) -> dict[str, Any]:
    return outputs
