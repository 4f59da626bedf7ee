"""What a run leaves on disk: the log directory, TensorBoard events, and the state to resume."""
