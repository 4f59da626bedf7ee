"""The words of sentences about features: a name for each image attribute, and adjectives."""

# Names of the image attributes (`statistics/attributes.py`).
LABELS = {
    "brightness": "brightness",
    "contrast": "contrast",
    "saturation": "saturation",
    "band_1": "the finest detail (2 pixels)",
    "band_2": "fine detail (4 pixels)",
    "band_3": "medium detail (8 pixels)",
    "band_4": "coarse detail (16 pixels)",
    "spectral_slope": "the growth of detail with scale",
    "sharpness": "edge sharpness",
    "edge_density": "the share of edges",
    "noise": "noise",
    "noise_flat": "noise in flat regions",
    "noise_kurtosis": "the peakedness of noise",
    "blockiness": "blockiness at 8 pixels",
    "equal_neighbours": "the share of equal neighbours",
    "equal_runs": "the share of runs of equal pixels",
    "anisotropy": "the common direction of edges",
    "coherence": "the straightness of edges",
    "border_level": "the level of the border",
    "border_spread": "the variation along the border",
    "background": "the share of background",
    "object_x": "the object's horizontal position",
    "object_y": "the object's vertical position",
    "object_size": "the object's size",
    "skewness": "the skewness of brightness",
    "highlights": "the share of brightest pixels",
    "shadows": "the share of darkest pixels",
    "entropy": "the entropy of brightness",
}

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
