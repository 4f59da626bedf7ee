"""`explain_gap`: splits an accuracy gap into its causes."""
