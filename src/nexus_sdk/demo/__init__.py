"""What `nexus demo`, the tests and the benchmarks run against: a local model server.

Standard library only, and nothing else of Nexus: what it receives is judged by code that shares
nothing with ours.
"""
