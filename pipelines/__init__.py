"""What runs on the platform: per stage its jobs, containers and clients; per use case a workload."""
