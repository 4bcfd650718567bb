"""Bodies of soft balls and their images from all sides."""

from erlangen.fields.views.shapes import Bodies, Views, chains, render, views

__all__ = ["Bodies", "Views", "chains", "render", "views"]
