"""`python -m tests.bench._first_registration lazy|eager`: run the program of stack local up to its first resource.

Ends when the engine is asked for it. The stack's own resource, registered before the program is even read, does not
count. The SDK asks for nothing before the program's last line has run, so this is everything but the engine's work.
"""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from infra.local.engine import config, lazy_packages, sdk
from infra.local.engine.registration import Invocation, ReadRequest, Registered, Registration

ROOT = Path(__file__).parents[2]


class First:
    """Ends the process at the first thing that the program asks for."""

    def register(self, wanted: Registration) -> Registered:
        """The stack's own resource is answered."""
        if wanted.type == "pulumi:pulumi:Stack":
            return Registered("urn:pulumi:local::mlp::pulumi:pulumi:Stack::mlp-local", "", {})
        return _reached(wanted.type)

    def register_outputs(self, urn: str, outputs: dict[str, Any]) -> None:
        """Of the stack, which is not reached."""
        del urn, outputs

    def read(self, wanted: ReadRequest) -> Registered:
        """Looked up before the first registration."""
        return _reached(wanted.type)

    def invoke(self, wanted: Invocation) -> Any:
        """Called before the first registration."""
        return _reached(wanted.token)

    def log(self, urn: str, severity: str, message: str) -> None:
        """The program's mistakes are the bench's."""
        if severity == "error":
            sys.stderr.write(f"{urn}: {message}\n")


def _reached(what: str) -> Any:
    os.write(sys.stdout.fileno(), f"{what}\n".encode())
    os._exit(0)


def main(imports: str) -> None:
    """Run the program; `eager` imports the packages of services whole, as without the engine."""
    if imports == "eager":
        lazy_packages.installed = nullcontext
    configuration = config.load(ROOT, "mlp", "local", "no secret is in this file")
    os.environ.setdefault("AWS_ENDPOINT_URL", configuration.values["mlp:endpoint"])
    run = sdk.Run(
        project="mlp",
        stack="local",
        root=ROOT,
        config=configuration.values,
        secret_keys=configuration.secret_keys,
        dry_run=True,
        threads=16,
    )
    sdk.run_program(run, sdk.main_of(ROOT), First())
    raise RuntimeError("the program ended before it registered anything")


if __name__ == "__main__":
    main(sys.argv[1])
