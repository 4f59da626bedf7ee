"""Repair: augmentation towards a target, domain adaptation, and batch norm on target data."""
