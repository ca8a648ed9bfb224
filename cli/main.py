"""Entry point of `mlp`: finds the verb, imports only that one, and turns a user's mistake into one sentence."""

import difflib
import importlib
import sys

import click

from infra.local.errors import LocalError

VERBS = {
    "up": "deploy or change a stack",
    "preview": "show what `up` would change",
    "refresh": "compare the stack with what is really there",
    "destroy": "delete everything a stack deployed",
    "outputs": "what a deployed stack tells its pipelines",
    "deploy": "put images and other artifacts onto the platform",
    "run": "run a pipeline",
    "experiment": "declare experiments and decide on them",
    "policy": "plan a stack and check it against the policy pack, without credentials",
    "local": "the embedded AWS on this machine: start, stop, status, logs, inventory, env",
    "doctor": "what is missing on this machine and how to get it",
}


class _Verbs(click.Group):
    """Imports a verb when it is called: `mlp --help` and a typo cost no heavy import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], VERBS, 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            ctx.fail(f"{args[0]!r} is no verb; there are {', '.join(VERBS)}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlp")
def mlp() -> None:
    """An ML platform on AWS, and the same platform on this machine."""


def main() -> None:
    """Run the command line; exit 0 on success, 1 on a failure said in one sentence, 2 on wrong usage."""
    try:
        mlp.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as answer:
        interrupted = isinstance(answer.__cause__, KeyboardInterrupt | EOFError)
        said = "stopped; what was under way is settled by the next `mlp up`" if interrupted else "nothing was changed"
        click.echo(said, err=True)
        sys.exit(130 if interrupted else 1)
    except LocalError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


def _is_for_the_user(error: Exception) -> bool:
    """Whether the error's text is the whole message: the base classes of ours that say so, if loaded at all."""
    owners = {"pipelines.errors": "PipelineError", "stacks.config": "ConfigError"}
    return any(
        isinstance(error, getattr(sys.modules[module], name))
        for module, name in owners.items()
        if module in sys.modules and hasattr(sys.modules[module], name)
    )
