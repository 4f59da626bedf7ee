"""Runs the command line tool: `python -m keras_shiftguard` does the same as `keras-shiftguard`."""

import sys

from keras_shiftguard_cli import main

if __name__ == "__main__":
    sys.exit(main())
