"""How what was fed becomes what is expected: conventions, the layer, the line to paste."""
