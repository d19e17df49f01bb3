"""3D models of characters: read from PMX, PMD, VRM; bent, morphed, drawn without a window."""
