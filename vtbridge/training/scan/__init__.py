"""What a folder of 3D models offers for a data set: a report, and a file to correct it in."""
