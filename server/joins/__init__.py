"""Records that turned out to be one matter: joined, and split again (并案、拆分)."""
