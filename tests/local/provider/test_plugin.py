"""The provider as a plugin: the shim starts it, and the real command deploys through it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.provider import write_plugin

from .stack import Stack

PROGRAM = """
import pulumi
import pulumi_aws as aws

zone = aws.get_availability_zones(state="available").names[0]
vpc = aws.ec2.Vpc("v", cidr_block="10.3.0.0/16", enable_dns_hostnames=True)
aws.ec2.Subnet("s", vpc_id=vpc.id, cidr_block="10.3.0.0/24", availability_zone=zone)
bucket = aws.s3.Bucket("b", force_destroy=True)
aws.s3.BucketObjectv2("o", bucket=bucket.bucket, key="vpc", content=vpc.id)
pulumi.export("domain", bucket.bucket_regional_domain_name)
"""


def test_the_shim_starts_this_environments_provider(tmp_path: Path) -> None:
    shim = write_plugin(tmp_path / "bin")
    assert shim.name == "pulumi-resource-aws"
    assert os.access(shim, os.X_OK)
    assert sys.executable in shim.read_text()


@pytest.mark.local
def test_the_plugin_prints_its_port(tmp_path: Path) -> None:
    shim = write_plugin(tmp_path)
    with subprocess.Popen([shim, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert int(process.stdout.readline()) > 0
        finally:
            process.terminate()


@pytest.mark.engine
@pytest.mark.local
@pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the Pulumi CLI on PATH")
def test_the_real_command_deploys_refreshes_and_destroys(stack: Stack, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.mkdir()
    (program / "__main__.py").write_text(PROGRAM)
    # The language host looks for a lock beside the program; the environment is the one of these tests.
    (program / "uv.lock").write_text('version = 1\nrequires-python = ">=3.11"\n')
    (program / "pyproject.toml").write_text('[project]\nname = "plugin"\nversion = "0"\nrequires-python = ">=3.11"\n')
    runtime = {"name": "python", "options": {"toolchain": "uv", "virtualenv": sys.prefix}}
    (program / "Pulumi.yaml").write_text(json.dumps({"name": "plugin", "runtime": runtime}))
    environment = {
        **os.environ,
        "PATH": f"{write_plugin(tmp_path / 'bin').parent}:{Path(sys.prefix, 'bin')}:{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_REGION": "eu-west-1",
    }

    def pulumi(*arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            check=False,
            cwd=program,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init", "test")
    pulumi("up", "--yes", "--skip-preview")
    pulumi("preview", "--expect-no-changes")
    pulumi("refresh", "--yes", "--expect-no-changes", "--skip-preview")
    assert ".s3.eu-west-1.amazonaws.com" in json.loads(pulumi("stack", "output", "--json"))["domain"]
    pulumi("destroy", "--yes", "--skip-preview")
    names = [bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith("b-")]
