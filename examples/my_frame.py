"""A frame of your own: one method, `forward`, which must move along with the data; and `refuse`, why an action cannot be served.

Copy this file. Averaging any model over the frame then makes it symmetric: ``er.symmetrize(model, inp, out, frame=Largest())``.
"""

import torch

import erlangen as er


class Largest(er.Frame):
    """The cyclic shift that brings the largest value of the first signal to the front."""

    def forward(self, inp, x):
        size = inp.group.order
        shift = x.reshape(len(x), -1, size)[:, 0].argmax(-1, keepdim=True)
        elements = (torch.arange(size) + shift) % size  # one element for each datum, as a permutation
        return er.frames.Weighted(elements[:, None])

    def refuse(self, inp):
        cyclic = isinstance(er.groups.recognised(inp.group), er.Cyclic)
        return "" if cyclic and inp == inp.group.vector else "it shifts signals of a cyclic group"


if __name__ == "__main__":
    print(er.testing.check_frame(Largest(), er.Cyclic(5).vector))
    model = er.symmetrize(torch.nn.Linear(5, 5), er.Cyclic(5).vector, er.Cyclic(5).vector, frame=Largest())
    er.assert_equivariant(model, torch.randn(8, 5), elements=5)
