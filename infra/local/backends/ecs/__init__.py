"""ECS whose Fargate tasks are processes of this machine."""
