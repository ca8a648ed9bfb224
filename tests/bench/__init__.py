"""Benchmarks: each measures ours and a peer in the same run; nothing here asserts a time."""
