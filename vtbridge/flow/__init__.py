"""How values and time move between threads."""
