"""Differentiable rasterisation of Gaussians: one call convention, a back end for CUDA and one for the CPU."""
