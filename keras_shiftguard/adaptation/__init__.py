"""Training on labelled source data for an unlabelled target that looks different."""
