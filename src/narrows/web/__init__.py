"""Pages: templates, drawings, the map."""
