"""Reading and writing: batches of whatever `fit` accepts, image files, arrays, JSON."""
