"""The upstreams: where they are, what they speak, what they cost. Data, and how to read it."""
