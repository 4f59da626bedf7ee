"""The Shift tab of TensorBoard, which shows the logs of keras_shiftguard.

This file imports nothing: TensorBoard imports it at every start, and an error or a
slow import there would affect every user of TensorBoard.
"""
