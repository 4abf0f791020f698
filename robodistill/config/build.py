"""Defaults of building a field and of what is asked of it; `config/robodistill.yaml` holds those of `BuildConfig`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SeedConfig:
    """How depth becomes the first Gaussians."""

    gaussians: int = 60_000
    """About how many to start with; voxel sizes follow."""
    detail: float = 2.0
    """How many times finer voxels are where the pictures have edges."""
    max_points: int = 1_500_000
    """Depth pixels looked at; more frames are sampled more sparsely."""
    thickness: float = 0.15
    """Size across the surface relative to the size along it."""
    overlap: float = 0.7
    """Standard deviation along the surface relative to the distance between neighbours."""
    opacity: float = 0.8


@dataclass(frozen=True)
class PolicyConfig:
    """When Gaussians are split and pruned."""

    first_step: int = 60
    every: int = 60
    last_share: float = 0.6
    """No change after this share of the steps."""
    split_share: float = 0.04
    """Share of the Gaussians split at a time: those with the largest error in the pictures."""
    min_opacity: float = 0.03
    max_gaussians: int = 400_000


@dataclass(frozen=True)
class FitConfig:
    """Optimisation of the Gaussians against the frames."""

    steps: int = 300
    sh_degree: int = 1
    """Degree of the spherical harmonics, 0 to 3."""
    sh_from: float = 0.3
    """Share of the steps after which colours may depend on the view."""
    depth_weight: float = 0.3
    """Weight of the relative depth error beside the colour error."""
    ssim_weight: float = 0.0
    """Weight of 1 - SSIM; it makes a step several times dearer on the CPU."""
    ssim_every: int = 10
    """SSIM is added on every n-th step only."""
    lr_means: float = 0.02
    """Relative to the seeds' median size, per step."""
    lr_scales: float = 0.03
    lr_quats: float = 0.003
    lr_opacities: float = 0.05
    lr_colors: float = 0.02
    lr_final: float = 0.05
    """Share of the learning rates left at the last step (cosine)."""
    seed: int = 0
    policy: PolicyConfig = field(default_factory=PolicyConfig)


@dataclass(frozen=True)
class UpliftConfig:
    """How features of views become features of Gaussians, and how many numbers are kept of them."""

    dims: int = 112
    """Numbers that a Gaussian keeps, a byte each; 0 keeps the teacher's features as they are."""
    view_power: float = 1.0
    """A view counts by the cosine between surface and ray to this power."""
    faint: float = 0.1
    """Pixels; a cell of which a Gaussian made no more says nothing of it."""
    patch: int = 8
    """Gaussians that are averaged before the codec is fitted."""
    codec_views: int = 60
    """Views that it is fitted to, evenly taken."""
    neighbours: int = 8
    rounds: int = 6
    """Of diffusion over neighbours; 0 for none."""
    likeness: float = 0.1
    """Difference of colour, in [0, 1], at which neighbours hardly share features."""
    contrast: float = 3.0
    """Squared difference of features, over what noise makes of it, at which neighbours hardly share them."""
    own: float = 0.1
    """Weight of a Gaussian's own feature against its neighbours'."""


@dataclass(frozen=True)
class QueryConfig:
    """How a phrase becomes a selection."""

    neighbours: int = 8
    """Of each Gaussian, along which a piece is connected."""
    peak: int = 20
    """Gaussians whose mean is the best score."""
    share: float = 0.6
    """Of the best score, from which a Gaussian is of a candidate."""
    outline: float = 0.5
    """Of the answer's own mean score, from which what touches it belongs to it."""
    candidates: int = 12
    """Connected pieces that are compared, the largest first."""
    least: int = 8
    """Gaussians that an object has at least."""
    least_part: int = 3
    """The same of each piece of a part."""
    join: float = 0.85
    """Of the best piece's score, from which another piece beside it is of the same object."""


@dataclass(frozen=True)
class DistillConfig:
    """Features by optimisation, as Feature 3DGS: Zhou et al., CVPR 2024.

    The paper fits geometry, colour and features together for 30 000 steps (7 000 for most scenes) with the rates 1e-3
    for features and 1e-4 for the decoder, and a quarter of the teacher's dimension. On a CPU there is time for some
    hundred steps, and in these the decoder must learn first: with features that learn fast, each Gaussian learns the
    noise of its own cells, and more steps make it worse.
    """

    steps: int = 300
    dim: int = 16
    """Numbers per Gaussian; 0 has the teacher's dimension."""
    decoder: bool = True
    """A linear map with bias, the paper's 1x1 convolution; without it `dim` must be 0."""
    weight: float = 1.0
    """Of the feature loss beside the colour loss, where both are used."""
    resize: str = "area"
    """From the rendering to the map's size: area, or the paper's bilinear "corners", which reads 4 pixels a cell."""
    lr: float = 0.0001
    lr_decoder: float = 0.1
    lr_final: float = 0.05
    """Share of the learning rates left at the last step (cosine)."""
    seed: int = 0


@dataclass(frozen=True)
class ContrastiveConfig:
    """Features by optimisation within masks, as GaussianGrasper: Zheng et al., RA-L 2024.

    The paper fits geometry, colour and features together for 30 000 steps; its code has codes of 32, a decoder 32 to
    128 to D, up to 800 pairs in a mask, and 1000 taught pixels.
    """

    steps: int = 300
    dim: int = 32
    hidden: int = 128
    pairs: int = 4000
    """In all masks of a view."""
    samples: int = 1000
    """Pixels that the decoder is taught at, in all masks of a view."""
    level: int = 0
    """Which of the proposer's levels the masks are of, 0 is the finest."""
    pool: bool = False
    """Teach a mask its mean feature; nearer to the paper, which encodes the crop of each mask, but not better."""
    weight: float = 1.0
    """Of the pairs beside the teacher."""
    lr: float = 0.005
    lr_decoder: float = 0.005
    lr_final: float = 0.05
    """Share of the learning rates left at the last step (cosine)."""
    seed: int = 0


@dataclass(frozen=True)
class PromptConfig:
    """How a click or a box becomes a selection."""

    neighbours: int = 12
    """Of each Gaussian, along which a region grows."""
    smoothing: int = 2
    """Rounds in which features and colours are averaged over neighbours that are alike."""
    feature: float = 0.6
    """Difference of unit features at which neighbours are hardly linked; noise makes it wider."""
    color: float = 10.0
    """The same of colours, CIE Lab."""
    fold: float = 0.5
    """The same of how hollow or stepped the surface is, 0 to 1."""
    reach: float = 3.0
    """The same of distance, in median distances between neighbours."""
    weak: float = 0.5
    """Share of colour and shape beside features."""
    cosine: float = 0.45
    """With the seeds' feature, below which nothing belongs to the region."""
    restart: float = 0.02
    """Chance of a walker to begin anew: its inverse is about the reach of a region, in neighbours."""
    steps: int = 80
    """Of the walkers."""
    doubt: float = 100.0
    """Neither like nor unlike edges that every border is given: small regions need a better one."""
    least: int = 12
    """Gaussians of a region."""
    snap: float = 0.6
    """Overlap (IoU) from which a part that the field knows takes the region's place."""


@dataclass(frozen=True)
class PartsConfig:
    """How a field is cut into parts."""

    scales: int = 9
    """Levels, fine to coarse: small things seen from afar fit the first half, large ones the last."""
    neighbours: int = 10
    """Links of a Gaussian."""
    feature_weight: float = 1.0
    color_weight: float = 0.5
    fold_weight: float = 8.0
    """Of hollow or stepped surface between neighbours."""
    mask_weight: float = 8.0
    """Of regions that masks tell apart."""
    least: int = 5
    """Gaussians; what is smaller is no part."""
    min_opacity: float = 0.1
    """What is more transparent is no part."""


@dataclass(frozen=True)
class ShapeConfig:
    """How the shape of what stands on the support is added to features, for teachers that know shapes."""

    weight: float = 1.0
    """Of shape where views disagree on the kind of a thing, relative to what they told; 0 leaves shape out."""
    reach: float = 0.6
    """Metres around where the views look, in which the support is found."""
    lowest: float = 0.004
    """Metres above the support from which Gaussians stand on it."""
    highest: float = 0.4
    """Metres."""
    neighbours: int = 10
    gap: float = 0.015
    """Metres between neighbours of one segment at most."""
    alike: float = 0.8
    """Cosine of what the features of neighbours in one segment tell of their kind, at least."""
    least: int = 16
    """Gaussians of a segment."""
    largest: float = 0.5
    """Metres, diagonal of a segment."""


@dataclass(frozen=True)
class FeaturesConfig:
    """What a field carries beside colour."""

    teacher: str = "auto"
    """Specs of teachers, with commas between them; auto is what is installed."""
    way: str = "uplift"
    """uplift, distill, contrastive, or none."""
    masks: str = "superpixels"
    """Mask proposer of the contrastive way."""
    uplift: UpliftConfig = field(default_factory=UpliftConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    shape: ShapeConfig = field(default_factory=ShapeConfig)


@dataclass(frozen=True)
class BuildConfig:
    """Capture to field."""

    max_side: int = 640
    """Frames are reduced so that no side is longer, pixels."""
    hold_out: int = 10
    """Every n-th frame is kept for the PSNR and not trained on; 0 trains on all."""
    checkpoint_every: float = 10.0
    """Seconds between saved states, from which a killed build resumes."""
    seed: SeedConfig = field(default_factory=SeedConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
