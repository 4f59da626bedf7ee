"""Account of a gap: why validation is lower than training, in rows that add up."""
