"""A real Apache Kafka on this machine, from the ordinary package registries: install, start, kill, stop, read."""
