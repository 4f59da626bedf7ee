"""Measurement inside a live Keras model: its steps, inputs, layers and outputs."""
