"""Readers and writers: batches of data as `fit` takes it, image files, arrays, JSON."""
