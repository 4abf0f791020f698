"""A field grouped into parts at several scales, without clicks."""
