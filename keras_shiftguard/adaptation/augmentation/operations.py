"""The table of augmentation operations, with their limits and their units.

Opposite changes, such as `darker` and `brighter`, are two operations, each with a strength of its
own, so the one that leads away from the target stays at zero. Only `signed` operations go in both
directions, at random. A strength is in [0, 1]; at 1 the operation reaches its `limit`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keras_shiftguard.errors import BadInputError


@dataclass(frozen=True)
class Operation:
    """An augmentation operation.

    Args:
        name: The name in arguments, logs and plots.
        limit: The level at strength 1, in `unit`.
        unit: A phrase for a level with its unit; the number replaces `"{:.2g}"`.
        words: A verb phrase for reports that says what the operation does.
        opposite: Name of the operation in the opposite direction, or "". A
            sample gets only one of the two.
        signed: Whether the direction is random for each sample.
        channels: Smallest number of channels that the operation needs.
        asked_only: Whether the operation is used only if the user names it, because
            it could make a label wrong (a mirrored 2 is not a 2).
        pool: Whether the operation needs images of the target.
        effort: The controller adds the operation only if it lowers the loss by at least `effort`
            times the usual minimum: 2 for operations that move or hide the object, else 1.
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
        # geometry
        Operation("rotation", 45.0, "up to {:.2g} degrees", "rotates", signed=True, effort=2),
        Operation("shift_left", 0.3, "{:.2g} of the width", "moves left", "shift_right", effort=2),
        Operation("shift_right", 0.3, "{:.2g} of the width", "moves right", "shift_left", effort=2),
        Operation("shift_up", 0.3, "{:.2g} of the height", "moves up", "shift_down", effort=2),
        Operation("shift_down", 0.3, "{:.2g} of the height", "moves down", "shift_up", effort=2),
        Operation("shear", 0.4, "up to {:.2g} of the height", "shears", signed=True, effort=2),
        Operation("zoom_in", 0.7, "by a factor of exp {:.2g}", "enlarges", "zoom_out", effort=2),
        Operation("zoom_out", 0.7, "by a factor of exp {:.2g}", "shrinks", "zoom_in", effort=2),
        Operation("crop", 0.5, "{:.2g} of the sides cut off", "crops and scales", effort=2),
        Operation("elastic", 0.3, "shifts span {:.2g} of the height", "deforms", effort=2),
        Operation("flip_horizontal", 1.0, "{:.2g} of images", "mirrors", asked_only=True),
        Operation("flip_vertical", 1.0, "{:.2g} of images", "flips upside down", asked_only=True),
        # properties taken from images of the target
        Operation("fourier", 1.0, "share {:.2g}", "takes the target's low frequencies", pool=True),
        Operation("histogram", 1.0, "share {:.2g}", "takes the target's histogram", pool=True),
        # light and color
        Operation("darker", 0.6, "{:.2g} of the range", "darkens", "brighter"),
        Operation("brighter", 0.6, "{:.2g} of the range", "brightens", "darker"),
        Operation("less_contrast", 2.0, "by exp {:.2g}", "lowers the contrast", "more_contrast"),
        Operation("more_contrast", 2.0, "by exp {:.2g}", "raises the contrast", "less_contrast"),
        Operation("gamma_up", 1.1, "exponent exp {:.2g}", "darkens midtones", "gamma_down"),
        Operation("gamma_down", 1.1, "exponent exp -{:.2g}", "brightens midtones", "gamma_up"),
        Operation("less_saturation", 1.0, "by {:.2g}", "fades", "more_saturation", channels=3),
        Operation("more_saturation", 1.5, "by {:.2g}", "saturates", "less_saturation", channels=3),
        Operation("hue", 0.25, "up to {:.2g} turns", "rotates the hue", signed=True, channels=3),
        Operation("channel_gain", 0.5, "up to exp {:.2g}", "tints", channels=2),
        Operation("haze", 0.9, "opacity {:.2g}", "adds haze"),
        # detail
        Operation("scatter", 0.08, "up to {:.2g} of the height", "scatters pixels"),
        Operation("resolution", 3.0, "2 ** {:.2g} pixels", "enlarges pixels"),
        Operation("blur", 0.06, "sigma {:.2g} of the side", "blurs", "sharpen"),
        Operation("motion_blur", 0.4, "{:.2g} of the side", "blurs along one axis"),
        Operation("sharpen", 2.0, "{:.2g} times", "sharpens", "blur"),
        Operation("noise", 0.5, "sigma {:.2g} of the range", "adds noise"),
        Operation("speckle", 1.0, "sigma {:.2g} of the value", "multiplies with noise"),
        Operation("impulse", 0.4, "{:.2g} of the values", "sets values to black or white"),
        Operation("blocking", 1.0, "{:.2g} of the coarsest steps", "quantises blocks, as JPEG"),
        Operation("erasing", 0.6, "{:.2g} of the sides", "erases a rectangle", effort=2),
    )
}


def select_operations(names: Iterable[str] | None, channels: int, pool: bool) -> tuple[str, ...]:
    """Returns the names of the operations that can be used, in the order of the table.

    Args:
        names: Names that the user asked for. None means all operations that cannot
            make a label wrong.
        channels: Number of channels of the images.
        pool: Whether there are images of the target.

    Raises:
        BadInputError: If a name is unknown.
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
