"""The steps of a live model, and the batches that they get."""
