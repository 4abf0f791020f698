"""Language-embedded fields of Gaussians, part tracking and language-query grasps for robots."""

__version__ = "0.1.0"
