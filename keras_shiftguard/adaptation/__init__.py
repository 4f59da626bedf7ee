"""Repair: augmentation towards a target, and batch norm on target data."""
