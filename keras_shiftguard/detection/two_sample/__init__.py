"""Two-sample tests on summaries of two streams, one a file. NumPy only."""
