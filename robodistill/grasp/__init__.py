"""Where and how can a robot take hold of what a phrase names?"""
