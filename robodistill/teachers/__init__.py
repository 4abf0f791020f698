"""What sees and what reads: dense image encoders, text encoders and mask proposers behind small protocols."""
