"""Isolated processes in which the frameworks run."""
