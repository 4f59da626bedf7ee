"""In-graph, additive sketches: one idea a file.

Each statistic is a small class with the same three parts:

- `__init__(spec, state)` asks `state` for its variables;
- `update(batch)` adds one batch, inside the compiled step, with `keras.ops`;
- `read(values, num_samples)` turns the drained numbers into the fields of
  `profiles.InputSummary` that it is responsible for, on the host, in float64.

`sketch.py` puts them together for one input, `stream.py` for all inputs.
"""
