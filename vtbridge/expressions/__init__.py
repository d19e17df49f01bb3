"""What moves the character beside the face: breathing, idle motion, expressions."""
