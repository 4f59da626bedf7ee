"""Domain adaptation: training on a labelled source for an unlabelled target."""
