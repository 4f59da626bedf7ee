"""The words of findings and reports."""
