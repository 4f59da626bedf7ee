"""Estimates of what cannot be measured: accuracy without labels, and the worth of adaptation."""
