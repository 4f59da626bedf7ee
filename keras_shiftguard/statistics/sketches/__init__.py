"""Statistics of one kind each: of pixels, features, labels, tokens or outputs."""
