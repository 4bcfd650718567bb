"""The published systems that Erlangen makes one, by number: what each is called, where it lives, and what of it is there today.

The table on the front page is made of this one (``python docs/write_systems.py``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PLANNED = "planned"
BEGIN, END = "<!-- systems: made by docs/write_systems.py -->", "<!-- end of systems -->"


@dataclass(frozen=True)
class System:
    """One published system.

    Attributes:
        number: how it is referred to throughout the project.
        name: its short name.
        title: what it does.
        place: the folder it lives in (or will).
        today: ``"planned"``, or ``"works"`` and how far.
        beside: what it is better at than the simplest thing that works, or where that is enough: one line with its numbers, as the
            study measured them.
    """

    number: int
    name: str
    title: str
    place: str
    today: str = PLANNED
    beside: str = ""

    @property
    def works(self) -> bool:
        """Whether it is there today."""
        return self.today != PLANNED

    def as_dict(self) -> dict[str, Any]:
        """Every field, and whether it works, ready for JSON."""
        return {**asdict(self), "works": self.works}


SYSTEMS = (
    System(
        1,
        "BoRA",
        "bi-dimensional weight-decomposed low-rank adaptation",
        "parameters",
        "works on any torch model, beside LoRA and DoRA; peft's files; `erlangen adapt`",
        "level with a linear SVM on words and letters, in 37 s beside 1 s: tweets 93.0 % and 93.5 %, newswire 94.6 % and 95.6 % (one "
        "seed)",
    ),
    System(
        2,
        "SARD",
        "symmetry-aware robot design with structured subgroups",
        "fields/robots",
        "works under MuJoCo: search over subgroups, evolution strategies or PPO, exact XML, gymnasium environments",
        "after 3200 rollouts the search comes 1.8 ± 1.0 m nearer to any goal, CMA-ES without symmetry 0.2 ± 0.4 m; level until 800",
    ),
    System(
        3,
        "WyckoffDiff",
        "diffusion over crystal symmetry descriptions",
        "fields/crystals",
        "works on real crystals: three bases, group and elements given, realised under symmetry, judged beside baselines",
        "held-out crystals at least at -17.2 nats beside -19.0 for independent entries; copied positions make sets nearer to "
        "real ones (FWD 0.09 beside 0.35)",
    ),
    System(
        4,
        "GWL",
        "geometric Weisfeiler-Leman tests and expressivity",
        "measure",
        "works, exact; PyG, ASE and RDKit; `erlangen expressivity`",
        "11 of 11 pairs of clouds told apart, sorted distances 8; real molecules (5,000 of QM9) sorted distances tell apart, too",
    ),
    System(
        5,
        "FAENet",
        "stochastic frame averaging for materials",
        "nn, symmetrize",
        "works on molecules, crystals and slabs; ASE calculator",
        "energies learnt from 300 surfaces in 10 CPU seconds: 0.43 +- 0.05 eV, ridge on counts, distances and densities 0.72; from 1000 "
        "they are level",
    ),
    System(
        6,
        "E-SSL",
        "equivariant self-supervised learning",
        "discover",
        "works on SimCLR, SimSiam, Barlow Twins with any finite group or continuous parameters; photonic crystals",
        "simple is enough on small images: an SVM on pixels 84.7 % from 4000 labels, our features 82.6 %; photonic cells: trees "
        "3.0 % error, ours 4.1 %",
    ),
    System(
        7,
        "explanation robustness",
        "explanations under the model's symmetry group",
        "measure",
        "works: scores, guarantees, symmetrized explainers; in every audit",
        "says which explanations move along with data; where the model is free, an SVM on Fourier moduli is as robust and more "
        "accurate (.82 beside .71)",
    ),
    System(
        8,
        "G-FNO",
        "group-equivariant Fourier neural operators",
        "nn, fields/flows",
        "works: plane groups, the cube, space and time; typed fields; flows to learn from",
        "a driven flow forecast to 19 %, linearly to 41 %; the law is better (3 %) until about a third of its force is missing",
    ),
    System(
        9,
        "white-dwarf binaries",
        "orientations of gravitational-wave binaries",
        "fields/binaries",
        "works: degeneracy groups of any channels, waveforms, ephemerides, candidates on the sky; `erlangen binaries`",
        beside="weights of the four modes: level with a grid of the posterior (both exact; 0.17 s beside 0.05 to 0.10 s); the same "
        "sampler, not folded, is off by 0.1 in 0.5 s",
    ),
    System(
        10,
        "EQ2PC",
        "different structures with identical two-point correlation",
        "fields/microstructures",
        "works: exact on any grid and relations; finds or excludes mates; homometric crystals; `erlangen microstructures`",
        "all classes of a ring of 20 points in 0.016 s, looking at every structure with NumPy 0.84 s; level at 12 points",
    ),
    System(
        11,
        "frame averaging",
        "exact symmetry for any model by a small input-dependent frame",
        "symmetrize",
        "works on clouds, jets, graphs, sets, finite groups; a chooser of frames",
        beside="bodies of an unknown law: 0.0097 over stochastic frames, 0.0170 for ridge on equivariant vectors; graphs: BLISS's "
        "canonical labels miss 0 pairs, too",
    ),
    System(
        12,
        "soft equivariance",
        "regularisation under mixed approximate symmetries",
        "discover",
        "works on any model; ridge in closed form; `erlangen fit --soft`",
        beside="0.13 beside the lasso's 0.77 from 40 samples of a linear law with a broken axis, level from 200 (0.029 beside 0.035); "
        "the law itself, where known, is better",
    ),
    System(
        13,
        "facility location",
        "strategy-proof facility location",
        "fields/mechanisms",
        "works: proofs by SAT with minimal cores, exact checks with witnesses, worst cases; `erlangen locate`",
        "the honest median costs 0.36 % more than the geometric median, which one can lie to (101 German cities)",
    ),
    System(
        14,
        "point-wise activations",
        "which activations are exactly equivariant",
        "reps",
        "works, with the reason, a counterexample and the nearest choice",
        "1680 cells in 3.8 s, a brute-force fit 2.1 s, which gives no reason; networks on vectors: error 0.17 beside 4e-5 for ridge on "
        "equivariant vectors",
    ),
    System(
        15,
        "DiffCSP",
        "crystal structure prediction by equivariant diffusion",
        "fields/crystals",
        "works: compositions, generation, given space groups, guidance; real crystals beside look-up and chance",
        "a look-up is enough where the prototype is known: 96 % matched in five trials beside 76 to 80 %",
    ),
    System(
        16,
        "geometric algebra attention",
        "attention for small point clouds",
        "nn",
        "works: eight layers, any rank, chunks; crystals, energies and forces, backmapping",
        "simple is ahead: crystals named 93.1 of 100 beside 96.1 for boosting on sorted angles and distances; atoms from beads "
        "off by 1.25 A beside 1.07 for trees",
    ),
    System(
        17,
        "physical compatibility",
        "solid objects consistent with static equilibrium",
        "fields/solids",
        "works: exact rest shapes, stability with the mode's symmetry; models mended, made to stand, written for printing; "
        "`erlangen stand`, `erlangen rest-shape`",
        "rest shapes of a cantilever in 0.4 s, the fixed point 6 s; standing costs 0.32 of the energy of shearing upright",
    ),
    System(
        18,
        "PONITA",
        "group convolutions in position-orientation space",
        "nn",
        "works: scalars and vectors, grids and bonds, potentials, denoisers; exact symmetries stated",
        "charged bodies of an unknown law: 0.012 ± 0.003 beside 0.021 ± 0.002 for ridge on equivariant vectors; forces of one molecule: "
        "take a kernel, one solve",
    ),
    System(
        19,
        "cybloids",
        "computer-controlled colloids",
        "fields/colloids",
        "works: exact laws of delayed potentials, Brownian dynamics, a plane group in and a verified interaction program out",
        "a square crystal, |psi4| 0.83 ± 0.07, which cores alone do not make (0.15 ± 0.01); a hexagonal one they do (|psi6| 0.88 ± 0.02)",
    ),
    System(
        20,
        "UNF",
        "universal neural functionals on weight spaces",
        "parameters",
        "works on any torch model's weights; learned optimizers",
        "tau .804 ± .003 from weights alone, .787 for boosting on them, .859 ± .011 agreement on 50 unlabelled digits; a learned "
        "optimizer's loss .60 beside Adam's .84",
    ),
    System(
        21,
        "LieGAN",
        "generative adversarial symmetry discovery",
        "discover",
        "works, with closed-form companions and LieGNN",
        beside="the simple way is ahead: orbits' rotation by a null space, 1 - |cos| 4e-10 beside 5e-3; tops by boosting on Minkowski "
        "products, AUC 0.944 beside 0.908",
    ),
    System(
        22,
        "hardness",
        "statistical-query hardness of learning under symmetries",
        "measure",
        "works: exact correlations, bounds, students that fail and the algorithm that does not",
        "exact to 3e-16 where graphs are too many to enumerate and samples off by 7e-3; parities that networks cannot learn are solved by "
        "elimination",
    ),
    System(
        23,
        "Lie-group convolution",
        "decompositions of GL+(n), SL(n) and affine groups",
        "groups, nn",
        "works: factors with exact measures; image networks on Aff+(2), GL+(2), SL(2), by factors and by samples",
        "moved digits: an SVM on moments and polar invariants .912 beside .890 (level on affNIST's recipe); from upright digits "
        "alone ours is ahead, .890 beside .860",
    ),
    System(
        24,
        "null infinity",
        "linking past and future null infinity",
        "fields/spacetime",
        "works: BMS3 truncated to a grid, charges, flows and orbits; the link proved unique, formulas derived, matter",
        beside="a generator followed to 1e-14 in a hundredth of the time of Runge-Kutta's 1024 steps, which reach 7e-14",
    ),
    System(
        25,
        "partition diagrams",
        "all equivariant linear maps of the symmetric group",
        "maps",
        "works: every S_n map, any order, products of groups",
        "counting is enough for graphs of seven nodes: R2 from 100 graphs .952 beside .988 for ridge on counts; 12 times as fast as "
        "dense matrices at 20 nodes",
    ),
    System(
        26,
        "isogenies",
        "isogenies of elliptic curves as ideals",
        "fields/curves",
        "works: orders, ideals, forms and quaternions in whole numbers; class groups act on curves up to 64 bits; volcanoes drawn",
        beside="a walk at 64 bits is as fast as bare calls of PARI (50 steps in 0.8 s); factoring division polynomials takes 0.2 s a step "
        "and tells no direction",
    ),
    System(
        27,
        "learned canonicalization",
        "equivariance with learned canonicalization functions",
        "symmetrize",
        "works for images, clouds, sets, products of groups",
        "turned clothes: an SVM on polar moduli 19.1 % errors, CircleNet 18.4 % (level), learned poses behind; charged bodies: "
        "0.0133, ridge on vectors 0.0195",
    ),
    System(
        28,
        "hidden symmetries",
        "functional dimension of ReLU networks",
        "parameters",
        "works: dimension, diagnosis, moves, simplification; `erlangen relu-dimension`",
        beside="the dimension of 10-10-10-10-10-1 in 0.04 s, by a dense Jacobian in 0.15 s; pruning dead neurons makes a trained "
        "network as small (1.9 of 36 go)",
    ),
    System(
        29,
        "orbit distance",
        "symmetrization by orbit distance minimization",
        "symmetrize",
        "works for matrix groups, compact or not",
        "moved events: ridge on ten products is exact (9e-27 beside .020, augmentation .30); turned digits: an SVM 5.9 ± 0.1 % errors "
        "beside 9.9 ± 1.8 %",
    ),
    System(
        30,
        "jellyfish diagrams",
        "all equivariant linear maps of the alternating group",
        "maps",
        "works: every A_n map",
        beside="the rule is better: parity of sorted rows with boosting 0.963 of R and S right beside 0.924 of the A_4 network (1 s "
        "beside 6 s)",
    ),
    System(
        31,
        "asymmetric ensembles",
        "asymmetric networks in ensembles and mixtures",
        "parameters",
        "works on any module; re-basin of any weight spec beside it",
        "boosted trees are ahead on churn (.964 beside .945) and diamonds (RMSE .0951 beside .1092), behind on digits (.975 "
        "beside .983)",
    ),
    System(
        32,
        "mixed manna",
        "fair division of goods and chores",
        "fields/mechanisms",
        "works: both algorithms, adjusted winner, search, exact checkers with witnesses; `erlangen divide`",
        "EFX with PO in 100 % where Algorithm 2 is proven (programs 97 %); else EF1 with PO in 83 %, programs in 100 % and a "
        "hundred times the time",
    ),
    System(
        33,
        "Brauer diagrams",
        "all equivariant linear maps of O(n), SO(n), Sp(n)",
        "maps",
        "works: every O, SO, Sp (and Lorentz) map",
        beside="all maps of third order under O(3) in 4 ms, a dense null space in 0.2 s; where invariants are known networks lose: "
        "emittances 0.027 beside 4e-13",
    ),
    System(
        34,
        "neural Fourier transform",
        "learning a latent linear group action",
        "discover",
        "works in its three settings, beside the linear closed form",
        "behind an unknown saturating sensor .0033 beside a perceptron's .041; closed forms are enough for clean signals "
        "(1.6e-12), an SVM for turned clothes",
    ),
)


def systems_table() -> str:
    """All systems as a table in Markdown, between the two marks that a page has."""
    rows = ["| | system | lives in | today | beside the simplest thing that works |", "| --- | --- | --- | --- | --- |"]
    for s in SYSTEMS:
        place = ", ".join(f"`{part}`" for part in s.place.split(", "))
        today = s.today.replace("works", "**works**", 1) if s.works else s.today
        rows.append(f"| {s.number} | {s.name}: {s.title} | {place} | {today} | {s.beside or '–'} |")
    return "\n".join([BEGIN, *rows, END])


def with_table(page: str) -> str:
    """The text of a page with the table as it is now.

    Raises:
        ValueError: the page does not have each of the two marks once.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs one line '{BEGIN}' and one '{END}'")
    before, rest = page.split(BEGIN)
    return before + systems_table() + rest.split(END)[1]
