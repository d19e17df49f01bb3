"""How face data comes in: protocols that take bytes and give faces, and their socket."""
