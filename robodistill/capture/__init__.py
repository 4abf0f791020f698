"""Recorded frames, from whatever form they were recorded in."""
