"""One fit, evaluation or prediction that the guard watches."""
