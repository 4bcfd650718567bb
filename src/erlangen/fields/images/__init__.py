"""Small images for classification: Fashion-MNIST where it is installed, handwritten digits elsewhere; upright, and each rotated once."""

from erlangen.fields.images.fashion import PLACES, fashion, rotated, rotated_fashion

__all__ = ["PLACES", "fashion", "rotated", "rotated_fashion"]
