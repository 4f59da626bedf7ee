"""Table of what can happen to data: light, detail, geometry, levels, order, columns, labels."""
