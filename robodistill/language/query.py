"""Where in a field is what a phrase names? Or is it not there at all?

The score of a Gaussian is how well its feature fits the phrase, less how well the best of the teacher's contrasts does,
such as words that fit anything (Kerr et al., "LERF", ICCV 2023). What differs here: the answer is a connected
piece of the field; it is judged by the mean feature of that piece, in which the noise of single Gaussians is gone; it
must fit the phrase better than the same phrase in any other colour; and "X of the Y" is looked for inside Y only, as
what is more X of the Y than Y (compare Rashid et al., "LERF-TOGO", CoRL 2023).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from robodistill.config import QueryConfig
from robodistill.errors import BadInput
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.graph import Graph, neighbour_graph
from robodistill.language.phrase import other_colors, whole_of, without_color
from robodistill.language.selection import Selection, select
from robodistill.teachers.teacher import TextTeacher

_FIRST, _SAMPLE = 6, 512  # contrasts that all Gaussians are compared with, and Gaussians that say which these are
_NEVER = -2.0  # margin, the least there is: of what the teacher never saw, whose cosine with all is 0
_VOTES = 3  # rounds in which an outline is smoothed


@dataclass(frozen=True)
class _Texts:
    """Directions of a phrase and of what it is compared with."""

    phrase: Tensor  # (D,)
    contrasts: Tensor  # (k, D)
    colors: Tensor  # (c, D) the phrase in other colours
    plain: "_Texts | None"  # the phrase without its colour


class Querier:
    """A field made ready for questions: features and neighbours are prepared once, an answer takes milliseconds."""

    def __init__(self, field: GaussianField, layer: FeatureLayer, text: TextTeacher, config: QueryConfig) -> None:
        """Prepare.

        Raises:
            BadInput: The text encoder is not of the features' teacher.
        """
        if text.dim != layer.dim:
            raise BadInput(
                f"the field's features of {layer.teacher} have {layer.dim} dimensions, {text.spec} has {text.dim}; "
                "the text encoder must be of the teacher that made them"
            )
        self.field, self.config, self._text = field, config, text
        self._graph = neighbour_graph(field.means, config.neighbours)
        basis = layer.decoder.weights[0] if layer.decoder.is_linear else None
        if basis is not None:
            # codes of unit length in the features' own metric: a cosine is then one product with a short vector
            values, vectors = torch.linalg.eigh((basis.mT @ basis).double())
            root = (vectors * values.clamp_min(0).sqrt() @ vectors.mT).float()
            inverse = (vectors / values.clamp_min(1e-12).sqrt() @ vectors.mT).float()
            self._basis = basis @ inverse
            codes = layer.codes.float() @ root
        else:
            self._basis = None
            codes = layer.features()
        self._codes = torch.nn.functional.normalize(codes, dim=-1)
        self._unseen = ~layer.codes.any(-1)
        self._known: dict[tuple[str, str | None], _Texts] = {}

    def __call__(self, phrase: str) -> Selection:
        """Answer.

        Raises:
            BadInput: The phrase is empty or the text encoder does not know a word of it.
        """
        whole = whole_of(phrase)
        if whole is not None:
            return self._part(phrase, whole)
        return self._object(phrase)

    def scores(self, phrase: str) -> Tensor:
        """(N,) score of each Gaussian by itself, for heat maps."""
        margins = self._margins(self._texts(phrase), self._codes)
        return self._logistic(margins.masked_fill(self._unseen, _NEVER))

    def _object(self, phrase: str) -> Selection:
        texts = self._texts(phrase)
        margins = self._screened(texts).masked_fill(self._unseen, _NEVER)
        peak = _upper(margins, self.config.peak)
        pieces = self._pieces(margins >= self._between(peak, self.config.share), self.config.least)
        if not pieces:
            return select(self.field, torch.empty(0, dtype=torch.int64), phrase, 0.0, "nothing in the field fits it")
        ranks = self._margins(texts, torch.stack([self._mean(piece) for piece in pieces]))
        piece = self._joined(pieces, ranks)
        # the piece's own level draws its outline: the first threshold was the whole field's
        marked = margins >= self._between(float(margins[piece].mean()), self.config.outline)
        floor = self._text.calibration.floor
        if texts.plain is not None:
            near = (marked if floor >= 0 else margins >= floor).nonzero()[:, 0]
            level = float(self._margins(texts.plain, self._codes[piece]).mean())
            of_kind = self._margins(texts.plain, self._codes[near]) >= self._between(level, self.config.outline)
            # with other answers as contrasts, a difference below the floor speaks for one of them: a red jar's yellow
            # lid is of the jar, for what is of the kind belongs to it unless its colour says no. With words that fit
            # anything as contrasts, what has the colour only, as a red pan beside it, does not belong to it
            marked[near] = of_kind if floor >= 0 else marked[near] | of_kind
        piece = self._outlined(self._grown(piece, marked), marked)
        return self._answer(phrase, texts, piece)

    def _part(self, phrase: str, whole: str) -> Selection:
        inside = self(whole)
        if not inside.found:
            reason = f"{whole!r} was not found: {inside.reason}"
            return select(self.field, inside.gaussians[:0], phrase, inside.score, reason)
        texts, of_whole = self._texts(phrase, whole), self._texts(whole)
        gain = self._gain(texts, of_whole, self._codes[inside.gaussians])
        peak = _upper(gain, 0.02 * len(gain))
        if peak <= 0:
            reason = f"nothing of {whole!r} is more like it than the rest"
            return select(self.field, inside.gaussians[:0], phrase, 0.0, reason)
        marked = torch.zeros(len(self.field), dtype=torch.bool)
        marked[inside.gaussians[gain > 0.5 * peak]] = True
        pieces = self._pieces(marked, self.config.least_part)
        if not pieces:
            return select(self.field, inside.gaussians[:0], phrase, 0.0, f"no connected piece of {whole!r} fits it")
        means = torch.stack([self._mean(piece) for piece in pieces])
        ranks = self._gain(texts, of_whole, means)
        # several pieces may be the part (two handles of scissors); they go together when they fit about as well
        chosen = [piece for piece, rank in zip(pieces, ranks, strict=True) if rank >= 0.75 * ranks.max()]
        return self._answer(phrase, texts, torch.cat(chosen))

    def _answer(self, phrase: str, texts: _Texts, piece: Tensor) -> Selection:
        mean = self._mean(piece)
        score = float(self._logistic(self._margins(texts, mean[None]))[0])
        return select(self.field, piece, phrase, score, self._objection(texts, mean, score))

    def _objection(self, texts: _Texts, mean: Tensor, score: float) -> str:
        """Why the best piece is not what was asked for; empty where it is."""
        if score < 0.5:
            return "the best candidate fits too little"
        if texts.plain is not None and float(self._logistic(self._margins(texts.plain, mean[None]))[0]) < 0.5:
            return "the best candidate has the colour, but is nothing of the kind"
        if len(texts.colors) and float((texts.colors @ mean).max()) > float(texts.phrase @ mean):
            return "the best candidate fits the same words in another colour better"
        return ""

    def _texts(self, phrase: str, inside: str | None = None) -> _Texts:
        if (phrase, inside) not in self._known:
            colors, plain = other_colors(phrase), without_color(phrase)
            rows = self._projected(self._text.encode_text([phrase, *colors]))
            contrasts = self._projected(self._text.contrasts(phrase, inside))
            self._known[phrase, inside] = _Texts(rows[0], contrasts, rows[1:], plain and self._texts(plain, inside))
        return self._known[phrase, inside]

    def _projected(self, directions: Tensor) -> Tensor:
        directions = directions.to(self._codes)
        return directions if self._basis is None else directions @ self._basis

    def _margins(self, texts: _Texts, codes: Tensor) -> Tensor:
        fits = codes @ torch.cat([texts.phrase[None], texts.contrasts]).mT
        return fits[:, 0] - fits[:, 1:].amax(1) if len(texts.contrasts) else fits[:, 0]

    def _screened(self, texts: _Texts) -> Tensor:
        """(N,) margins; of a Gaussian below the floor no more than that it is: most drop out after a few contrasts."""
        if len(texts.contrasts) <= _FIRST:
            return self._margins(texts, self._codes)
        sample = self._codes[:: max(1, len(self._codes) // _SAMPLE)]
        wins = torch.bincount((sample @ texts.contrasts.mT).argmax(1), minlength=len(texts.contrasts))
        order = wins.argsort(descending=True)
        margins = self._margins(replace(texts, contrasts=texts.contrasts[order[:_FIRST]]), self._codes)
        rows = (margins >= self._text.calibration.floor).nonzero()[:, 0]
        margins[rows] = self._margins(texts, self._codes[rows])
        # thresholds lie above the floor as soon as the best do
        enough = (margins >= self._text.calibration.floor).sum() >= self.config.peak
        return margins if enough else self._margins(texts, self._codes)

    def _gain(self, texts: _Texts, of_whole: _Texts, codes: Tensor) -> Tensor:
        """(n,) how much more like a part than like the whole and than like its other parts codes are."""
        return torch.minimum(codes @ texts.phrase - codes @ of_whole.phrase, self._margins(texts, codes))

    def _logistic(self, margins: Tensor) -> Tensor:
        calibration = self._text.calibration
        return torch.sigmoid(calibration.scale * (margins - calibration.offset))

    def _between(self, level: float, share: float) -> float:
        """A threshold this share of the way up to a level, from where unrelated things are."""
        floor = self._text.calibration.floor
        return floor + share * (level - floor)

    def _mean(self, piece: Tensor) -> Tensor:
        return torch.nn.functional.normalize(self._codes[piece].mean(0), dim=0)

    def _joined(self, pieces: list[Tensor], ranks: Tensor) -> Tensor:
        """The best piece with those beside it that fit about as well: a thin stem may be missing between them."""
        best = int(ranks.argmax())
        points = self.field.means[pieces[best]]
        low, high = points.amin(0), points.amax(0)
        reach = 0.5 * float((high - low).max())
        chosen = [pieces[best]]
        for k, piece in enumerate(pieces):
            if k == best or ranks[k] < self.config.join * ranks[best]:
                continue
            points = self.field.means[piece]
            gap = torch.maximum(points.amin(0) - high, low - points.amax(0)).clamp_min(0).norm()
            if gap < reach:
                chosen.append(piece)
        return torch.cat(chosen)

    def _pieces(self, marked: Tensor, least: int) -> list[Tensor]:
        """Connected pieces of the marked Gaussians, the largest first, without the tiny ones."""
        ids = marked.nonzero()[:, 0]
        labels = _components(self._graph, marked.numpy(), ids.numpy())
        sizes = np.bincount(labels) if len(labels) else np.zeros(0, int)
        order = [k for k in np.argsort(-sizes)[: self.config.candidates] if sizes[k] >= least]
        labels = torch.from_numpy(labels)
        return [ids[labels == k] for k in order]

    def _grown(self, piece: Tensor, marked: Tensor) -> Tensor:
        """The connected pieces of the marked Gaussians that hold any of a piece."""
        ids = marked.nonzero()[:, 0]
        labels = torch.from_numpy(_components(self._graph, marked.numpy(), ids.numpy()))
        member = torch.zeros(len(self.field), dtype=torch.bool)
        member[piece] = True
        return ids[torch.isin(labels, labels[member[ids]])] if len(ids) else piece

    def _outlined(self, piece: Tensor, marked: Tensor) -> Tensor:
        """The piece without what does not reach its own threshold, and with the holes filled that it encloses."""
        member = torch.zeros(len(self.field), dtype=torch.float32)
        member[piece] = marked[piece].float()
        near = torch.from_numpy(self._graph.neighbours.astype(np.int64))
        kept = piece
        for _ in range(_VOTES):
            around = torch.cat([kept, near[kept].reshape(-1)]).unique()
            # three quarters of the neighbours bring one in, and three quarters throw one out
            vote = (2 * member[near[around]].mean(1) + member[around]) / 3
            member[around] = (vote > 0.5).float()
            kept = around[vote > 0.5]
        return kept if len(kept) >= self.config.least else piece


def _components(graph: Graph, marked: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Component number of each of the marked points; only their own edges are looked at."""
    if not len(ids):
        return np.zeros(0, np.int32)
    from scipy.sparse import coo_matrix

    place = np.full(len(marked), -1, np.int32)
    place[ids] = np.arange(len(ids), dtype=np.int32)
    ends = place[graph.neighbours[ids]]
    starts = np.broadcast_to(np.arange(len(ids), dtype=np.int32)[:, None], ends.shape)
    inside = ends >= 0
    edges = coo_matrix((np.ones(inside.sum(), bool), (starts[inside], ends[inside])), shape=(len(ids), len(ids)))
    return connected_components(edges, directed=False)[1]


def _upper(values: Tensor, count: float) -> float:
    """The mean of about that many largest values: a peak that no single Gaussian makes."""
    return float(values.topk(max(1, min(len(values), round(count)))).values.mean())
