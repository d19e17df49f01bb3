"""OBS Studio: the connection to it, the scene in it, and the script inside it."""
