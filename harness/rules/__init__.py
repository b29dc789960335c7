"""Folk rules and documented claims, decided.

``statements`` has them with their sources, domains and checks; ``decide`` takes every tuple of a box, then lets
Hypothesis look beyond it; ``observe`` asks the installed frameworks. What is recorded beside a statement is only
compared with what came out.
"""
