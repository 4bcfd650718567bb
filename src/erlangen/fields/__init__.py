"""Fields: symmetry at work in one science each. A field knows its engine; nothing below it does."""
