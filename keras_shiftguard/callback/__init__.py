"""The Keras callback `ShiftGuard`, and the checks that it runs during a fit."""
