"""What the benchmarks compare with: the same algorithms by other means, or the variants of other papers."""
