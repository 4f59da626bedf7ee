"""Label shift and concept shift: what labels and predictions say about a difference."""
