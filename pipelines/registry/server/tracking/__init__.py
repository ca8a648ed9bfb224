"""The model registry's container: MLflow's own server, configured from the environment."""
