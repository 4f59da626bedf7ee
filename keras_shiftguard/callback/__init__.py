"""The Keras callback `ShiftGuard`, and the parts of a fit that it watches."""
