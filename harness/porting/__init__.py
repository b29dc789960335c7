"""The porting oracle: for every ordered pair of APIs, what comes of words that are copied from one to the other.

Calls are drawn from the source's own vocabulary, the naive port (``harness.audit.naive``) is foretold from both
documentations, conditions are learned by asking the prediction, and a sample is run on both sides. Never a finding.
"""

from harness.porting.pairs import RUN, portings

__all__ = ["RUN", "portings"]
