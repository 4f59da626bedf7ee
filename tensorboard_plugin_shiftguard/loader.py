"""The entry point of the plugin, which TensorBoard imports and calls at every start.

An error or a slow import here would affect every user of TensorBoard. So this
file imports only TensorBoard and constants. The plugin itself is imported by
`ShiftLoader.load`, which catches errors.
"""

from typing import Any

from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging

from tensorboard_plugin_shiftguard.metadata import PLUGIN_NAME

# By default, TensorBoard's data server keeps 100 points of a tag and its Python reader keeps 10.
# Both drop points at random, except the last one, so the first epoch may be dropped too.
KEPT_POINTS = 1000

_logger = tb_logging.get_logger()


class ShiftLoader(base_plugin.TBLoader):
    """Creates the plugin, or leaves TensorBoard without it."""

    def fix_flags(self, flags: Any) -> None:
        """Keeps `KEPT_POINTS` points of each tag, unless the user asked for another number."""
        kept = getattr(flags, "samples_per_plugin", None)
        if isinstance(kept, dict):
            kept.setdefault(PLUGIN_NAME, KEPT_POINTS)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin | None:
        """Returns the plugin; if it raises an error, logs a warning and returns None."""
        try:
            from tensorboard_plugin_shiftguard.plugin import ShiftPlugin

            return ShiftPlugin(context)
        except Exception as error:
            _logger.warning(
                "The Shift tab could not be loaded: %s: %s", type(error).__name__, error
            )
            return None
