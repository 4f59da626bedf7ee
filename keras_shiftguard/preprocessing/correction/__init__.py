"""The correction of wrongly preprocessed input: conventions, a layer, a line of code to paste."""
