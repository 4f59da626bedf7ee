"""Causes of an accuracy gap, each measured by taking it away, and their shares."""
