"""Preprocessing diagnosis: what a model expects, what it is fed, and the correction."""
