"""The Shift tab of TensorBoard: what keras_shiftguard wrote, shown.

It imports nothing here: TensorBoard loads its entry point at every start, and
a failure or a slow import at that moment would be everybody's.
"""
