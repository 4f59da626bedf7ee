"""What a `Verdict` can be about: one file for each, which returns the parts of the verdict."""
