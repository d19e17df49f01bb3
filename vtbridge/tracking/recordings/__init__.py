"""What came over the wire in a file, to be played back bit for bit."""
