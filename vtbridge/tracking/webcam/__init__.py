"""Our own face tracker: pictures of a webcam or a video file in, faces out."""
