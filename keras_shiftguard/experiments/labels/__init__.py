"""Experiments on labels, and the words for what they find."""
