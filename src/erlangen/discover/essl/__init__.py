"""Equivariant self-supervised learning: features that ignore some transformations and feel others."""

from erlangen.discover.essl.closed_form import OrbitFeatures, PatchFeatures
from erlangen.discover.essl.encoders import cell_encoder, resnet18, small_encoder
from erlangen.discover.essl.invariance import BarlowTwins, Invariance, SimCLR, SimSiam
from erlangen.discover.essl.losses import barlow_twins_loss, info_nce, nt_xent, simsiam_loss
from erlangen.discover.essl.model import ESSL
from erlangen.discover.essl.probes import Neighbours, Probe, features_of, knn_probe, linear_probe, ridge_probe
from erlangen.discover.essl.sensitivity import Sensitivity
from erlangen.discover.essl.transforms import Factors, GridShifts, Inversion, Jigsaw, mirrors, turns
from erlangen.discover.essl.views import Crop, Grey, Jitter, Mirror, Moved, Noise, View, Views, image_view

__all__ = [
    "ESSL",
    "BarlowTwins",
    "Crop",
    "Factors",
    "Grey",
    "GridShifts",
    "Invariance",
    "Inversion",
    "Jigsaw",
    "Jitter",
    "Mirror",
    "Moved",
    "Neighbours",
    "Noise",
    "OrbitFeatures",
    "PatchFeatures",
    "Probe",
    "Sensitivity",
    "SimCLR",
    "SimSiam",
    "View",
    "Views",
    "barlow_twins_loss",
    "cell_encoder",
    "features_of",
    "image_view",
    "info_nce",
    "knn_probe",
    "linear_probe",
    "mirrors",
    "nt_xent",
    "resnet18",
    "ridge_probe",
    "simsiam_loss",
    "small_encoder",
    "turns",
]
