"""SageMaker whose training jobs and endpoints are processes of this machine."""
