"""The `mlp` command: one module per verb, no logic of its own; nothing imports it."""
