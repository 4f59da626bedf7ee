"""The input that a model expects, read from its layers, its architecture and its batch norm."""
