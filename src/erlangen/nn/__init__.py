"""Networks that are symmetric by construction."""

from erlangen.nn.calculator import calculator
from erlangen.nn.circle_net import CircleNet
from erlangen.nn.clifford_attention import (
    LabeledMultivectorAttention,
    LabeledVectorAttention,
    Multivector2MultivectorAttention,
    Multivector2Vector,
    MultivectorAttention,
    TiedMultivectorAttention,
    TiedVectorAttention,
    Vector2Multivector,
    Vector2VectorAttention,
    VectorAttention,
)
from erlangen.nn.clifford_networks import GAABackmapper, GAAClassifier, GAAEnergyModel
from erlangen.nn.clifford_running import MomentumLayerNormalization, MomentumNormalization
from erlangen.nn.egnn import EGNN
from erlangen.nn.egnn_energy import EGNNEnergyModel
from erlangen.nn.faenet import FAENet
from erlangen.nn.faenet_config import FAENetConfig
from erlangen.nn.gated import Gated
from erlangen.nn.gradient_forces import GradientForces
from erlangen.nn.irrep_product import IrrepProduct
from erlangen.nn.lie_conv import LieConv, LieConvNet, LieLift, LieProject
from erlangen.nn.lie_gnn import LieGNN
from erlangen.nn.lifting import Lifting
from erlangen.nn.linear import EquivariantLinear
from erlangen.nn.mlp import EquivariantMLP
from erlangen.nn.norm_activation import NormActivation
from erlangen.nn.pair_gnn import PairGNN
from erlangen.nn.pointwise import PointwiseActivation
from erlangen.nn.ponita import PNITA, PONITA
from erlangen.nn.ponita_denoiser import PONITADenoiser
from erlangen.nn.ponita_lift import LiftedBonds, lift_bonds
from erlangen.nn.potential import Potential
from erlangen.nn.soft_linear import SoftLinear
from erlangen.nn.soft_mlp import SoftEquivariantMLP
from erlangen.nn.spatial_conv import GSpatialConv
from erlangen.nn.spectral import GFNO
from erlangen.nn.spectral_conv import GSpectralConv, RadialSpectralConv
from erlangen.nn.spectral_layout import ChannelsLast
from erlangen.nn.spectral_pointwise import GPointwise, Lift, Project
from erlangen.nn.spectral_symmetry import GridSymmetry
from erlangen.nn.tensor_product import TensorProduct
from erlangen.nn.vector_neurons import VectorNeurons

__all__ = [
    "EGNN",
    "GFNO",
    "PNITA",
    "PONITA",
    "ChannelsLast",
    "CircleNet",
    "EGNNEnergyModel",
    "EquivariantLinear",
    "EquivariantMLP",
    "FAENet",
    "FAENetConfig",
    "GAABackmapper",
    "GAAClassifier",
    "GAAEnergyModel",
    "GPointwise",
    "GSpatialConv",
    "GSpectralConv",
    "Gated",
    "GradientForces",
    "GridSymmetry",
    "IrrepProduct",
    "LabeledMultivectorAttention",
    "LabeledVectorAttention",
    "LieConv",
    "LieConvNet",
    "LieGNN",
    "LieLift",
    "LieProject",
    "Lift",
    "LiftedBonds",
    "Lifting",
    "MomentumLayerNormalization",
    "MomentumNormalization",
    "Multivector2MultivectorAttention",
    "Multivector2Vector",
    "MultivectorAttention",
    "NormActivation",
    "PONITADenoiser",
    "PairGNN",
    "PointwiseActivation",
    "Potential",
    "Project",
    "RadialSpectralConv",
    "SoftEquivariantMLP",
    "SoftLinear",
    "TensorProduct",
    "TiedMultivectorAttention",
    "TiedVectorAttention",
    "Vector2Multivector",
    "Vector2VectorAttention",
    "VectorAttention",
    "VectorNeurons",
    "calculator",
    "lift_bonds",
]
