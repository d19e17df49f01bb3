"""Video files: what they can be, and how pictures get into them."""
