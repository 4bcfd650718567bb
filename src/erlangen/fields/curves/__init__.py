from erlangen.fields.curves.curve import Curve, curves_with_trace
