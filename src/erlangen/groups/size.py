"""How large the basis of an algebra is, asked before it is made."""

from __future__ import annotations

from erlangen.errors import ArgumentError

#: A basis of more bytes is refused: several copies of it are alive at once.
LARGEST = 2**30


def basis_bytes(dim: int, n: int) -> int:
    """The bytes of ``dim`` matrices ``n x n`` in float64.

    >>> basis_bytes(3, 3)
    216
    """
    return 8 * dim * n * n


def check_basis(name: str, dim: int, n: int) -> None:
    """Refuse an algebra whose basis is larger than :data:`LARGEST`.

    Args:
        name: of the algebra.
        dim: how many matrices.
        n: their size.

    Raises:
        ArgumentError: it is too large.

    >>> check_basis("so(1000)", 499500, 1000)
    Traceback (most recent call last):
    ...
    erlangen.errors.ArgumentError: argument 'n': expected an algebra whose basis takes at most 1.1 GB; got so(1000), 499500 matrices \
of 1000 x 1000, 3,996.0 GB. Name the group of a smaller token, which acts on several of them alike
    """
    size = basis_bytes(dim, n)
    if size > LARGEST:
        raise ArgumentError(
            "n",
            f"an algebra whose basis takes at most {LARGEST / 1e9:.1f} GB",
            f"{name}, {dim} matrices of {n} x {n}, {size / 1e9:,.1f} GB",
            "Name the group of a smaller token, which acts on several of them alike",
        )
