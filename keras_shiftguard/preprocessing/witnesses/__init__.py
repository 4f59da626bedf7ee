"""The witnesses that a mismatch needs: the memory of batch norm, the trial, and the feed."""
