"""The callback `ShiftGuard`: what it does in each of the hooks that Keras calls."""
