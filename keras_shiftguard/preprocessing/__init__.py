"""What a model expects, what it was fed, the verdict, and the correction."""
