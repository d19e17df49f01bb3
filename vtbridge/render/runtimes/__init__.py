"""Inference runtimes: each one file behind the same small protocol, one row in one table."""
