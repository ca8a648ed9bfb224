"""Training: managed jobs on CPU and GPU, isolated, encrypted and limited."""

from components.training.component import Training, TrainingArgs
from components.training.profiles import ProfileArgs

__all__ = ["ProfileArgs", "Training", "TrainingArgs"]
