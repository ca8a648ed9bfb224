"""Training: jobs on the platform and the container that they run in."""
