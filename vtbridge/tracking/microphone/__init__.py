"""A mouth from a voice: sound in, the mouth's blendshapes out."""
