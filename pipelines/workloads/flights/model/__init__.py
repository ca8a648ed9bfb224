"""The code channel of the training job: runs in the training container, imports nothing of ours."""
