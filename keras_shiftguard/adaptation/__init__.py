"""Adaptation to target data: augmentation of training, and recalibration of batch norm."""
