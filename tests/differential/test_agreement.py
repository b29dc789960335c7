"""The frameworks held against the reference and each other: one line each, as in anybody's repository."""

from __future__ import annotations

from harness.testing import differential

test_torch_and_jax = differential("torch", "jax")
test_tensorflow = differential("tensorflow")
test_keras = differential("keras")
test_flax = differential("flax")
