"""Render: a pose and a picture become one transparent frame."""
