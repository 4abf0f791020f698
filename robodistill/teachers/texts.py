"""From phrases to the sentences that contrastive text encoders were trained on, and back to one vector a phrase.

Averaging a phrase's embeddings over prompt templates is prompt ensembling (Radford et al., "Learning Transferable
Visual Models From Natural Language Supervision", ICML 2021, section 3.1.4); the templates here are our own.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from robodistill.errors import BadInput

TEMPLATES = ("{}", "a photo of {}", "a close-up photo of {}", "{} on a table", "a picture that shows {}")
_BATCH = 64


def with_article(phrase: str) -> str:
    """`mug` -> `a mug`; phrases that have an article or look like a plural stay as they are."""
    first, last = phrase.split()[0], phrase.split()[-1]
    if first.lower() in ("a", "an", "the") or (last.endswith("s") and not last.endswith("ss")):
        return phrase
    return f"{'an' if first[0].lower() in 'aeiou' else 'a'} {phrase}"


def check_phrases(phrases: Sequence[str]) -> list[str]:
    """Phrases without blanks at the ends.

    Raises:
        BadInput: One holds no letter or digit, or a single string was given.
    """
    if isinstance(phrases, str):
        raise BadInput(f"a list of phrases is needed, got the string {phrases!r}")
    for phrase in phrases:
        if not any(letter.isalnum() for letter in phrase):
            raise BadInput(f"the phrase {phrase!r} has no word in it")
    return [phrase.strip() for phrase in phrases]


def embed_phrases(phrases: Sequence[str], encode: Callable[[list[str]], Tensor], dim: int) -> Tensor:
    """(n, D) unit vectors: the mean direction of each phrase over the templates.

    Args:
        encode: Embeds a list of at most 64 texts, (m, D), of any length.
    """
    phrases = check_phrases(phrases)
    if not phrases:
        return torch.zeros(0, dim)
    texts = [template.format(with_article(phrase)) for phrase in phrases for template in TEMPLATES]
    batches = [encode(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
    unit = functional.normalize(torch.cat(batches), dim=-1)
    return functional.normalize(unit.view(len(phrases), len(TEMPLATES), -1).mean(1), dim=-1)
