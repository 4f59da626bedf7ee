"""The bank's table: every operation, how far it may go, and in whose words.

An operation goes one way: `darker` and `brighter` are two, so that each has a
strength of its own and what the shift does not call for stays at zero. Strength
is in [0, 1]; at 1 the operation goes as far as `limit`, in the unit given.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keras_shiftguard.errors import BadInputError


@dataclass(frozen=True)
class Operation:
    """One way in which images can be changed.

    Args:
        name: Its name in arguments, logs and plots.
        limit: How far it goes at strength 1.
        unit: What `limit` counts, for people: `"{:.2g}"` is filled in.
        words: What it does, for people.
        opposite: The operation that goes the other way on the same axis. A
            sample gets one of the two.
        signed: Whether a sample draws the direction at random.
        channels: It needs at least so many channels.
        asked_only: Off unless asked for by name: it could change what a label
            says (a mirrored 2 is no 2).
        pool: Whether it needs images of the target.
        effort: How much of the shift it must explain to be used, against
            others: what moves or hides the object must be called for clearly.
    """

    name: str
    limit: float
    unit: str
    words: str
    opposite: str = ""
    signed: bool = False
    channels: int = 1
    asked_only: bool = False
    pool: bool = False
    effort: float = 1.0


OPERATIONS = {
    operation.name: operation
    for operation in (
        # geometry: one affine map, one resampling
        Operation("rotation", 45.0, "up to {:.2g} degrees", "rotates", signed=True, effort=2),
        Operation("shift_left", 0.3, "{:.2g} of the width", "moves left", "shift_right", effort=2),
        Operation("shift_right", 0.3, "{:.2g} of the width", "moves right", "shift_left", effort=2),
        Operation("shift_up", 0.3, "{:.2g} of the height", "moves up", "shift_down", effort=2),
        Operation("shift_down", 0.3, "{:.2g} of the height", "moves down", "shift_up", effort=2),
        Operation("shear", 0.4, "up to {:.2g} of the height", "shears", signed=True, effort=2),
        Operation("zoom_in", 0.7, "by a factor of exp {:.2g}", "enlarges", "zoom_out", effort=2),
        Operation("zoom_out", 0.7, "by a factor of exp {:.2g}", "shrinks", "zoom_in", effort=2),
        Operation("crop", 0.5, "{:.2g} of the sides cut off", "crops and scales", effort=2),
        Operation("elastic", 0.3, "up to {:.2g} of the height", "bends", effort=2),
        Operation("flip_horizontal", 1.0, "{:.2g} of them", "mirrors", asked_only=True),
        Operation("flip_vertical", 1.0, "{:.2g} of them", "turns over", asked_only=True),
        # from the target
        Operation("fourier", 1.0, "{:.2g} of it", "takes on the target's large scales", pool=True),
        Operation("histogram", 1.0, "{:.2g} of it", "takes on the target's levels", pool=True),
        # photometry
        Operation("darker", 0.6, "{:.2g} of the range", "darkens", "brighter"),
        Operation("brighter", 0.6, "{:.2g} of the range", "brightens", "darker"),
        Operation("less_contrast", 2.0, "by exp {:.2g}", "lowers the contrast", "more_contrast"),
        Operation("more_contrast", 2.0, "by exp {:.2g}", "raises the contrast", "less_contrast"),
        Operation("gamma_up", 1.1, "exponent exp {:.2g}", "darkens midtones", "gamma_down"),
        Operation("gamma_down", 1.1, "exponent exp -{:.2g}", "brightens midtones", "gamma_up"),
        Operation("less_saturation", 1.0, "by {:.2g}", "fades", "more_saturation", channels=3),
        Operation("more_saturation", 1.5, "by {:.2g}", "saturates", "less_saturation", channels=3),
        Operation("hue", 0.25, "up to {:.2g} turns", "turns the hue", signed=True, channels=3),
        Operation("channel_gain", 0.5, "up to exp {:.2g}", "tints", channels=2),
        Operation("haze", 0.9, "{:.2g} of it", "veils with light clouds"),
        # detail
        Operation("scatter", 0.08, "up to {:.2g} of the side", "scatters pixels"),
        Operation("resolution", 3.0, "2 ** {:.2g} pixels", "enlarges pixels"),
        Operation("blur", 0.06, "sigma {:.2g} of the side", "blurs", "sharpen"),
        Operation("motion_blur", 0.4, "{:.2g} of the side", "blurs one way"),
        Operation("sharpen", 2.0, "{:.2g} times", "sharpens", "blur"),
        Operation("noise", 0.5, "sigma {:.2g} of the range", "adds noise"),
        Operation("speckle", 1.0, "sigma {:.2g} of the value", "multiplies with noise"),
        Operation("impulse", 0.4, "{:.2g} of the pixels", "sets pixels to black and white"),
        Operation("blocking", 1.0, "{:.2g} of the coarsest", "quantises 8 x 8 blocks, as JPEG"),
        Operation("erasing", 0.6, "{:.2g} of the sides", "erases a rectangle", effort=2),
    )
}


def chosen(names: Iterable[str] | None, channels: int, pool: bool) -> tuple[str, ...]:
    """The operations that apply, in the order of the table.

    Args:
        names: What the user asked for; None means all that leave labels alone.
        channels: Channels of the images.
        pool: Whether there are images of the target.
    """
    asked = None if names is None else tuple(names)
    unknown = [name for name in asked or () if name not in OPERATIONS]
    if unknown:
        raise BadInputError(
            f"There is no operation {unknown[0]!r}. The bank has: {', '.join(OPERATIONS)}. "
            f"Received: operations={asked!r}"
        )
    return tuple(
        name
        for name, operation in OPERATIONS.items()
        if (not operation.asked_only if asked is None else name in asked)
        and operation.channels <= channels
        and (pool or not operation.pool)
    )
