"""Declared experiments: looks, verdicts, records, and the serving weights that follow them."""
