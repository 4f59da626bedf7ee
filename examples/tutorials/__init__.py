"""Short tutorials of the field, to run the guard on; see `tutorial.py`."""
