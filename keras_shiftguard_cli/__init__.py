"""The command-line program `keras-shiftguard`.

It is a package of its own because importing `keras_shiftguard` imports Keras and a
backend, which takes seconds. Help, completion and usage errors must not wait for that, so
the program imports the library only when a command runs.
"""

from keras_shiftguard_cli.program import main

__all__ = ["main"]
