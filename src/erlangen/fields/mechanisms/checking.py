"""`check`: does a mechanism, or one allocation, satisfy an axiom?"""

from __future__ import annotations

from typing import Any

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import Axiom
from erlangen.verdict import Verdict


def check(subject: Any, axiom: str | Axiom, data: Any = None, **options: Any) -> Verdict:
    """Whether an axiom holds, with a witness where it does not.

    Args:
        subject: an :class:`~erlangen.fields.mechanisms.division.Allocation`; a rule that divides,
            ``Instance -> Allocation``; or a rule for locations, points ``[..., n, d]`` to locations ``[..., k, d]``.
        axiom: by name, see :data:`~erlangen.fields.mechanisms.axioms.AXIOMS`.
        data: of a rule that divides, the instances to try it on; of one for locations, the profiles to try it on, or what draws
            them. None of an allocation.
        options: of :func:`~erlangen.fields.mechanisms.division.check_allocation`, ``check_division`` or
            :func:`~erlangen.fields.mechanisms.location.check_location`.

    Raises:
        ArgumentError: there is no such axiom, or it is not asked of such a subject.

    >>> from erlangen.fields import mechanisms
    >>> inst = mechanisms.Instance([[2, -1, -1], [2, -1, -1]], ["Ann", "Bob"], ["cake", "dishes", "dust"])
    >>> answer = mechanisms.solve(inst, want={"EFX", "PO"})
    >>> verdict = mechanisms.check(answer, "EFX3")
    >>> bool(verdict), verdict.witness.item, verdict.reason
    (False, 'dishes', "Ann would, counting only what Ann dislikes, rather have what Bob has, even without 'dishes'")
    """
    from erlangen.fields.mechanisms.division import Allocation, Instance, check_allocation, check_division

    if isinstance(subject, Verdict):
        raise ArgumentError("subject", "an Allocation or a rule", f"a verdict: {subject.reason or subject.claim}")
    if isinstance(subject, Allocation):
        return check_allocation(subject, axiom, **options)
    if isinstance(data, Instance) or (isinstance(data, list | tuple) and data and isinstance(data[0], Instance)):
        return check_division(subject, axiom, data, **options)
    from erlangen.fields.mechanisms.location import check_location

    return check_location(subject, axiom, data, **options)
