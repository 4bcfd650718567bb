"""An action of your own, on any data: one method, `act`. Copy this file."""

import torch

import erlangen as er


class Reverse(er.Action):
    """Signals ``[..., time]``, played backwards by the odd elements of a group of order 2."""

    data_shape = (None,)  # of one datum, where data are tensors; None is a free size

    def act(self, g, x):
        g, x = self.align(g, x)  # matches the batch axes of both
        return torch.where((g[..., :1] % 2).bool(), x.flip(-1), x)


class Ballots(er.Action):
    """Ballots as a tuple, one for each voter; the voters are permuted. Exact data need no shape."""

    def act(self, g, x):
        return tuple(x[i] for i in self.group.inverse(g).tolist())


if __name__ == "__main__":
    print(er.testing.check_action(Reverse(er.Cyclic(2))))
    print(er.testing.check_action(Ballots(er.Symmetric(3)), x=("a", "b", "b")))
