"""Follow the parts of an object through a plain video: part poses, joints, contact."""
