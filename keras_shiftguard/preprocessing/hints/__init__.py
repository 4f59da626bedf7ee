"""What else may be wrong with images or labels, said beside the verdict."""
