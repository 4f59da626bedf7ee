"""Domain adaptation: training on labelled source data for an unlabelled target."""
