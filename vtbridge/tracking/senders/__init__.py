"""Faces out, as each tracker would send them: for trying receivers, and for tests."""
