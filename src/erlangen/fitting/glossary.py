"""What the words of a fit's report mean, for a reader who has not met them."""

from __future__ import annotations

#: In the order in which a report uses them.
WORDS = {
    "token": "One of the vectors that a sample is made of. One matrix of a group moves all tokens of a sample alike.",
    "algebra": "The directions in which a continuous group can move, as matrices; so(3) is that of the rotations of space.",
    "quadric": "The points where one quadratic expression of the coordinates has one value: spheres, cones, hyperboloids. Data that "
    "lie on one are moved along it by all matrices that keep the expression.",
    "signature": "How many squares of a quadratic form count positive and how many negative: (1,3) is that of space and time.",
    "told apart": "A judge, a network trained for it, sees data and moved copies and says which is which. Its AUC is 0.5 where it cannot "
    "tell, as for a symmetry, and 1 where it always can. Told apart 45 % as well as randomly moved ones means: its AUC is "
    "above one half by 45 % of what it is above one half for moves of the same size that have nothing to do with the data.",
    "confidence": "On data kept from the discoverer: 1 where the finding contradicts them in nothing, 0 where as much as a structure of "
    "the same size that has nothing to do with them. Of a finding that its discoverer does not stand by, what held-out data "
    "leave no doubt about.",
    "degree": "How nearly the task has a symmetry: 1 where imposing the group loses nothing on held-out data, 0 where as much as "
    "imposing an unrelated group of its size.",
    "frame": "A few group elements, computed from each sample, over which a network is averaged. It makes any network symmetric, "
    "exactly.",
    "symmetrized": "The plain network behind a frame: the same weights, and symmetric by construction.",
    "penalty": "A term of the training's loss that grows with how far the weights are from being symmetric. It allows for symmetries "
    "that are nearly, not quite, there.",
    "moved": "Test data of which each sample was moved by its own random element of the group. A symmetric model does as well on "
    "them.",
    "equivariance error": "How far the prediction of a moved sample is from the moved prediction, relative to the predictions' size.",
    "AUC": "The share of pairs of one sample of each class that the model orders rightly: 0.5 is chance, 1 is perfect.",
    "R²": "The part of the target's variance that is predicted: 1 is perfect, 0 is no better than the mean.",
    "boosting": "Many small decision trees, each trained on what those before it left over: what one would take without a network.",
}
