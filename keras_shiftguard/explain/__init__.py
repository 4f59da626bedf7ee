"""Causes of an accuracy gap (`explain_gap`), costs of shifts, and accuracy without labels."""
