"""What a model expects at its input: its layers, its architecture, its batch norm."""
