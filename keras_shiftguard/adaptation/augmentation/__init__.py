"""Adaptive augmentation: a bank of image operations and a controller of their strengths."""
