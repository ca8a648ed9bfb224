"""The report of an experiment: one web page that a product owner can read."""
