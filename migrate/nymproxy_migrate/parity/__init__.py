"""Parity: the same workloads over the legacy way and the stream way, and what came of them."""
