"""The stacks: what an environment is, how its stages are wired, and what it tells its pipelines."""
