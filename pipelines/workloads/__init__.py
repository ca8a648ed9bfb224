"""Use cases, one folder each. Nothing outside a workload's own folder knows what it is about."""
