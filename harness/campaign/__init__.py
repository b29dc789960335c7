"""The loop that steers a run and yields events."""
