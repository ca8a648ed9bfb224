"""Serving: an endpoint with variants, watched, scaled and rolled out under guard."""

from components.serving.component import Serving, ServingArgs
from components.serving.variants import ModelArgs, ScalingArgs, VariantArgs

__all__ = ["ModelArgs", "ScalingArgs", "Serving", "ServingArgs", "VariantArgs"]
