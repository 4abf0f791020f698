"""Claims measured: each benchmark is a function from seeds to rows, ours beside another method in the same run."""
