"""Where in a field was this picture taken?"""
