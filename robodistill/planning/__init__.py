"""Two arms repeat a demonstration: which arm holds what, ways free of contact, timing, and checks of the result."""
