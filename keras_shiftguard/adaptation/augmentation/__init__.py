"""Adaptive augmentation: a bank of operations, and what decides how far they go."""
