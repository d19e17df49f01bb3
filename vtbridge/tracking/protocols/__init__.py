"""Sans-I/O receivers: one tracker protocol a file, and the table of them all."""
