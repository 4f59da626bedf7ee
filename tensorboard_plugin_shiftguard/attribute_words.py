"""The names of the image attributes in plain words, shared by the sentences, the tab and the page.

`keras_shiftguard` makes the sentences from this table. It is kept here because importing
`keras_shiftguard` takes seconds, and TensorBoard must not wait for that.
"""

# Names of the image attributes (`keras_shiftguard/statistics/sketches/attributes.py`).
LABELS = {
    "brightness": "brightness",
    "contrast": "contrast",
    "saturation": "saturation",
    "colour_balance_0": "the balance of the first channel",
    "colour_balance_1": "the balance of the second channel",
    "colour_balance_2": "the balance of the third channel",
    "colour_balance_3": "the balance of the fourth channel",
    "band_1": "the finest detail (2 pixels)",
    "band_2": "fine detail (4 pixels)",
    "band_3": "medium detail (8 pixels)",
    "band_4": "coarse detail (16 pixels)",
    "spectral_slope": "the growth of detail with scale",
    "sharpness": "edge sharpness",
    "edge_density": "the share of edges",
    "noise": "noise",
    "noise_flat": "noise in flat regions",
    "noise_kurtosis": "the spikiness of noise",
    "blockiness": "blockiness",
    "equal_neighbours": "the share of equal neighbours",
    "equal_runs": "the share of runs of equal pixels",
    "anisotropy": "the common direction of edges",
    "coherence": "the straightness of edges",
    "border_level": "the level of the border",
    "border_spread": "the variation along the border",
    "background": "the share of background",
    "object_x": "the horizontal position of the object",
    "object_y": "the vertical position of the object",
    "object_size": "the size of the object",
    "skewness": "the balance of bright and dark",
    "highlights": "the share of brightest pixels",
    "shadows": "the share of darkest pixels",
    "entropy": "the variety of gray levels",
}


def heading(label: str) -> str:
    """Returns a label without its article, for a heading, or after "mean" in a sentence.

    >>> heading("the share of edges"), heading("edge sharpness")
    ('share of edges', 'edge sharpness')
    """
    return label.removeprefix("the ")
