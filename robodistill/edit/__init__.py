"""Changes of a field that leave a field: delete, extract, recolour, move, and the hole that is left behind closed."""
