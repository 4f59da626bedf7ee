"""The entry point that TensorBoard calls at every start, in whatever environment.

Nothing here may stop TensorBoard or slow it down: only TensorBoard itself is
imported, and everything of ours is loaded behind a net.
"""

from typing import Any

from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging

PLUGIN_NAME = "shiftguard"
# What TensorBoard keeps of a tag by default would lose most of a training: 100
# points on one of its two paths, 10 on the other, and the first epoch on both.
KEPT_POINTS = 1000

_logger = tb_logging.get_logger()


class ShiftLoader(base_plugin.TBLoader):
    """Makes the plugin, or leaves TensorBoard as it is."""

    def fix_flags(self, flags: Any) -> None:
        """Keeps 1,000 points of each tag, unless the user asked for a number."""
        samples = getattr(flags, "samples_per_plugin", None)
        if isinstance(samples, dict):
            samples.setdefault(PLUGIN_NAME, KEPT_POINTS)
        elif not samples and hasattr(flags, "samples_per_plugin"):
            flags.samples_per_plugin = {PLUGIN_NAME: KEPT_POINTS}

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin | None:
        """The plugin; None, and a line in TensorBoard's log, where it can't be had."""
        try:
            from tensorboard_plugin_shiftguard.plugin import ShiftPlugin

            return ShiftPlugin(context)
        except Exception as error:
            _logger.warning("The Shift tab is not there: %s: %s", type(error).__name__, error)
            return None
