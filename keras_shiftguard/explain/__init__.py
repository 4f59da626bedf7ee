"""The accuracy gap, row by row: causes are taken away, and the model is asked again."""
