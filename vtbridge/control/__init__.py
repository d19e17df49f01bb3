"""What may control the daemon: the web page, its API, and OSC on loopback."""
