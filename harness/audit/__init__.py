"""Audits: what a port of a layer or a model must write, verified by running it."""
