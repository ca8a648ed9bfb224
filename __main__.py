"""What `pulumi up` runs: one environment's platform, from its stack file alone."""

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from stacks.loading import load, stack_values
from stacks.platform import Platform

settings = {**get_config_env(), **CONFIG.get()}
environment = pulumi.get_stack()
Platform(environment, load(environment, stack_values(settings, pulumi.get_project())))
