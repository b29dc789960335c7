"""Learning the condition of a finding: see ``learn``."""

from harness.campaign.learning.learner import Ask, Budget, Learned, learn

__all__ = ["Ask", "Budget", "Learned", "learn"]
