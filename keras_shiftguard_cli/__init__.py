"""The command `keras-shiftguard`: a second program, so a package of its own.

Importing `keras_shiftguard` imports Keras and a backend, which takes seconds. Help,
completion and complaints about usage must not wait for that, so the program lies beside
the library and imports it only once there is work to do.
"""

from keras_shiftguard_cli.program import main

__all__ = ["main"]
