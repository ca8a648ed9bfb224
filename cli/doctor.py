"""`mlp doctor`."""

import shutil
import sys
from dataclasses import dataclass

import click

from cli._display import print_json
from cli._target import ROOT, home, json_option

_NEEDED_GIB = 6
"""Free disk for the environments of the platform's images and the local cloud's data, in GiB."""


@dataclass(frozen=True)
class _Check:
    """One thing looked at."""

    name: str
    found: str | None
    needed_for: str
    how: str
    required: bool = False


@click.command()
@json_option
def command(as_json: bool) -> None:  # noqa: FBT001 - click hands flags over by name
    """What is missing on this machine, what it is needed for and how to get it; exit 1 when `local` cannot run."""
    checks = _checks()
    if as_json:
        print_json([vars(check) for check in checks])
    else:
        for check in checks:
            mark = "ok" if check.found else "missing"
            click.echo(f"{mark:8} {check.name:18} {check.found or f'for {check.needed_for}: {check.how}'}")
    if any(check.required and not check.found for check in checks):
        sys.exit(1)


def _checks() -> list[_Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    free = shutil.disk_usage(home().parent if not home().exists() else home()).free / 2**30
    loopback = sys.platform == "linux"
    return [
        _Check("python", version, "everything", "install Python 3.11 to 3.13", required=True),
        _Check("uv", _where("uv"), "image environments", "make setup", required=True),
        _Check(
            "free disk",
            f"{free:.0f} GiB" if free >= _NEEDED_GIB else None,
            "local",
            f"{free:.1f} GiB are free and {_NEEDED_GIB} are wanted: free some, or point MLP_HOME at a larger disk",
            required=True,
        ),
        _Check(
            "loopback addresses",
            "127.0.0.0/8" if loopback else None,
            "local",
            "every local service listens on its own address in 127.0.0.0/8, all of which Linux answers",
            required=True,
        ),
        _Check("pulumi", _where("pulumi"), "dev, staging, prod", "https://www.pulumi.com/docs/install/"),
        _Check(
            "container engine",
            _where("docker") or _where("podman"),
            "images for AWS",
            "docker or podman; `local` needs none",
        ),
    ]


def _where(program: str) -> str | None:
    return shutil.which(program, path=str(ROOT / ".venv" / "bin")) or shutil.which(program)
