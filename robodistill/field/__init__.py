"""Fields of Gaussians: made from depth, fitted to frames, rendered, saved."""
