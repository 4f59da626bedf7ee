"""`matched`: the assignment of rows to columns with the least total cost, each used once."""

import numpy as np


def matched(cost: np.ndarray) -> np.ndarray:
    """Returns the column of each row, `(n,)`, for costs of the shape `(n, n)`.

    The shortest augmenting path of each row in turn (Jonker and Volgenant, "A shortest augmenting
    path algorithm for dense and sparse linear assignment problems", Computing 1987).

    >>> matched(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [1, 0]
    """
    n = len(cost)
    u, v = np.zeros(n + 1), np.zeros(n + 1)
    row_of = np.zeros(n + 1, int)  # the row of each column, counted from 1; 0 for none
    for row in range(1, n + 1):
        row_of[0], column = row, 0
        least, way = np.full(n + 1, np.inf), np.zeros(n + 1, int)
        used = np.zeros(n + 1, bool)
        while row_of[column]:
            used[column] = True
            one = row_of[column]
            slack = cost[one - 1] - u[one] - v[1:]
            is_less = (~used[1:]) & (slack < least[1:])
            least[1:][is_less], way[1:][is_less] = slack[is_less], column
            free = np.where(used, np.inf, least)
            free[0] = np.inf
            nearest = int(np.argmin(free))
            step = free[nearest]
            u[row_of[used]] += step
            v[used] -= step
            least[1:][~used[1:]] -= step
            column = nearest
        while column:
            row_of[column] = row_of[way[column]]
            column = way[column]
    found = np.zeros(n, int)
    found[row_of[1:] - 1] = np.arange(n)
    return found
