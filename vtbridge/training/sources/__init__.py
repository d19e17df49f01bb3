"""Where the characters of a data set come from: drawn by recipe, or 3D models of others."""
