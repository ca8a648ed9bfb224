"""Experiments: who sees what, what it did, and whether to go on."""
