"""Hints: other problems of images or labels that a diagnosis mentions beside its verdict."""
