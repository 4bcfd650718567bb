"""Fields: symmetry at work in one science each. A field knows its engine; nothing below it does."""

from erlangen.packages import lazy_folders

__getattr__ = lazy_folders(__name__)
