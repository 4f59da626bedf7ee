"""Causes of a difference of inputs: a corruption, a changed pipeline or unit, augmentation."""
