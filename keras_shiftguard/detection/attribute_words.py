"""The words of sentences about features: a name for each image attribute, and adjectives."""

from tensorboard_plugin_shiftguard.attribute_words import LABELS, heading

__all__ = ["ADJECTIVES", "LABELS", "heading"]

# Adjectives for (a lower, a higher) mean; other features use "lower in" and "higher in".
# `length` is the length of a text in tokens.
ADJECTIVES = {
    "brightness": ("darker", "brighter"),
    "contrast": ("lower in contrast", "higher in contrast"),
    "saturation": ("less colourful", "more colourful"),
    "sharpness": ("less sharp", "sharper"),
    "noise": ("less noisy", "noisier"),
    "blockiness": ("less blocky", "blockier"),
    "object_size": ("smaller in the object they show", "larger in the object they show"),
    "background": ("with less background", "with more background"),
    "length": ("shorter", "longer"),
}
