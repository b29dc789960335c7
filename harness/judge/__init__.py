"""The oracles: what an observation should have been, and what is said when it is not."""
