"""Guardrails: controls as pure functions over planned or deployed resources.

`policies.evaluation.evaluate` gives findings, `policies.report.report` what to show and whether to go on; neither
starts a process. `python policies` serves the same rules to a deployment engine as a policy pack.
"""
