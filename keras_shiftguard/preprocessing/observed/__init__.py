"""The convention that images were fed in, from the values alone."""
