"""Causes of covariate shift: a corruption, a change of the pipeline or unit, augmentation."""
