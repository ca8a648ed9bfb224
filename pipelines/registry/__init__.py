"""Registry: runs, model versions and model packages, and the tracking server's container."""
