"""The smallest CSIDH: Z/27 on the curves ``y^2 = x^3 + A x^2 + x`` over the field of 419 elements."""

from __future__ import annotations

import time

from erlangen.fields import curves
from erlangen.fields.curves import Curve
from erlangen.reporting import Claim, Section
from erlangen.studies.isogeny.settings import CLAIMS, CSIDH, Found


def toy() -> Found:
    """27 supersingular curves over the field of 419 elements."""
    E = Curve.montgomery(419, 0)
    ways = {ell: curves.walk(E, [(ell, 1)] * 27) for ell in (3, 5, 7)}
    lengths = [way.index(E) + 1 for way in ways.values()]
    started = time.perf_counter()
    curves.walk(E, [(3, 1)] * 27)
    seconds = time.perf_counter() - started
    forms = {3: curves.Form(3, 2, 140), 5: curves.Form(5, 2, 84), 7: curves.Form(7, 2, 60)}
    by_forms = forms[7].reduced() == forms[3] ** 5 and forms[5].reduced() == forms[3] ** 12
    by_curves = ways[7][0] == ways[3][4] and ways[5][0] == ways[3][11]
    action = curves.class_group_action(E)
    classes = len(action.points().points)
    claims = [
        Claim(
            CLAIMS["orbits"],
            "27, 9, 27",
            ", ".join(map(str, lengths)),
            lengths == [27, 9, 27],
            f"all curves of the trace: {len(curves.curves_with_trace(419, 0))}",
            f"{classes} curves, {seconds * 1000:.1f} ms for 27 steps",
            source=CSIDH,
            key="orbits",
        ),
        Claim(
            CLAIMS["relations"],
            "both",
            f"forms {'yes' if by_forms else 'no'}, curves {'yes' if by_curves else 'no'}",
            by_forms and by_curves,
            None,
            f"class group {action.group}",
            source=CSIDH,
            key="relations",
        ),
    ]
    start = ", ".join(str(F.montgomery_coefficient) for F in [E, *ways[3][:5]])
    section = Section(
        "A class group on curves",
        [
            f"The ideal of norm 3 leads along A = {start}, ... through {lengths[0]} of {classes} curves, that of norm 5 through "
            f"{lengths[1]}: one of its steps goes as far as {ways[3].index(ways[5][0]) + 1} of the other."
        ],
        figures=[
            curves.draw_graph(action.graph((3, 5, 7)), f"{action.group} on the supersingular curves over the field of 419", "A")
        ],
    )
    return claims, section, {"toy": {"lengths": lengths, "seconds": seconds, "classes": classes, "group": str(action.group)}}
