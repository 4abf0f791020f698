"""Making the built-in teacher: views and point clouds of simulated things, and the loops that learn from them."""
