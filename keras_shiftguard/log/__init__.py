"""Writers of the log directory: TensorBoard events, JSON files and state files."""
