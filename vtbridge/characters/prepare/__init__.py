"""From any drawing to a good character: cut out, placed, judged by how it moves, retouched."""
