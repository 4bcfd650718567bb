"""Tables of the International Tables for Crystallography, as text, and the script that makes them."""
