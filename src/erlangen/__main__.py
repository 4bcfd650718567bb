"""``python -m erlangen``, which ``accelerate launch -m erlangen`` needs."""

from erlangen.cli import main

if __name__ == "__main__":
    main()
