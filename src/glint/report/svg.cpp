namespace glint {}
