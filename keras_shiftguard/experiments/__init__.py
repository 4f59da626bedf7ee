"""Experiments with a model's own data: what an operation gains or costs, on the same samples."""
