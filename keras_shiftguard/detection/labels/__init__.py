"""Label shift and concept shift: tests of labels, predictions and inputs by class."""
