"""What may decide a verdict on one input: one file for each, asked one after another."""
