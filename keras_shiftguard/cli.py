"""The command `keras-shiftguard`, as a function: `main(argv)` gives the exit status.

The program itself is the package `keras_shiftguard_cli`, which starts without Keras.
"""

from keras_shiftguard_cli import main

__all__ = ["main"]
