"""Measuring inside of a live Keras model: the only room that knows how one works."""
