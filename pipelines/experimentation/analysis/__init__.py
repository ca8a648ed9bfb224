"""Estimates, tests and plans for online experiments."""
