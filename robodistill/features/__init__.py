"""Three ways of teacher features into a field: uplift, distillation, contrastive."""
