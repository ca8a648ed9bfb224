"""A script-mode container with SageMaker's contract: `train` runs a script, `serve` answers with its model."""
