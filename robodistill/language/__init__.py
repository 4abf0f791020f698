"""What words do with a field that carries features: query, segment, prompt, parts, edit."""
