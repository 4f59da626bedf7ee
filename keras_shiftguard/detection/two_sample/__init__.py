"""Two-sample tests on summaries of two streams, one test in each file. NumPy only."""
