"""Two-sample tests: one a file, each on summaries of two streams. NumPy only."""
