"""Faults of a pipeline that a model or raw files show, which `explain_gap` takes away exactly."""
