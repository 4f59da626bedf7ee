"""Preprocessing diagnosis: the input a model expects, the input it is fed, the correction."""
