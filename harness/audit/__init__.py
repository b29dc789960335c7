"""What a port of transposed convolutions must write in another framework, verified by running it."""
