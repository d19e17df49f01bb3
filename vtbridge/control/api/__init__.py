"""The HTTP and WebSocket API under ``/api/v1``, for the tools and scripts of streamers."""
