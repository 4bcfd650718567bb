"""Write the table of systems into the front page: python docs/write_systems.py"""

from pathlib import Path

from erlangen.studies.systems import with_table

README = Path(__file__).parents[1] / "README.md"

if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
