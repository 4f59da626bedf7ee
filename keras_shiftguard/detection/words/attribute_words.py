"""The words of sentences about features: a name for each image attribute, and adjectives."""

from tensorboard_plugin_shiftguard.attribute_words import LABELS, heading

__all__ = ["ADJECTIVES", "FAMILY_ATTRIBUTES", "LABELS", "LOGARITHMS", "heading"]

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
# The attributes that show the direction of a family of causes; the first one is reported first.
FAMILY_ATTRIBUTES = {
    "brightness": ("brightness",),
    "contrast": ("contrast",),
    "blur": ("sharpness", "band_1", "band_2"),
    "noise": ("noise", "noise_flat"),
    "compression": ("blockiness",),
    "resolution": ("sharpness", "band_1"),
    "colour": ("saturation",),
}
# Attributes that are logarithms: sentences give their moves as factors, others as differences.
LOGARITHMS = frozenset(
    "contrast saturation band_1 band_2 band_3 band_4 spectral_slope sharpness noise noise_flat "
    "noise_kurtosis blockiness border_spread".split()
)
