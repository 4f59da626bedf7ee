"""Evidence for a mismatch beside batch norm: the trial, and the feed (the images as fed)."""
