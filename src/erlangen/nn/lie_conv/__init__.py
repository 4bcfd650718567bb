"""Convolutions over GL+(2), SL(2), SO(2) and the translations of the plane: images in, features on the group, answers out."""

from erlangen.nn.lie_conv.kernels import FourierKernel, GroupSplines, PlaneSplines, SirenKernel, SplineKernel
from erlangen.nn.lie_conv.layers import LieConv, LieLift, LieProject
from erlangen.nn.lie_conv.network import LieConvNet
from erlangen.nn.lie_conv.samples import Samples

__all__ = [
    "FourierKernel",
    "GroupSplines",
    "LieConv",
    "LieConvNet",
    "LieLift",
    "LieProject",
    "PlaneSplines",
    "Samples",
    "SirenKernel",
    "SplineKernel",
]
