"""What a phrase asks to hold, and where: "the red mug by the handle" is the red mug, touched at its handle."""

import re

from robodistill.language.phrase import whole_of

_BY = re.compile(r"^(.*\S)\s+(?:by|at|on)\s+(?:(?:the|its|a|an)\s+)?(\S.*)$", re.IGNORECASE)
_ARTICLE = re.compile(r"^\s*(?:the|a|an|my|this|that)\s+", re.IGNORECASE)


def object_and_part(phrase: str) -> tuple[str, str | None]:
    """The object's phrase, and the part's as "PART of the OBJECT" where one is named.

    "X by the P", "X at its P" and "P of the X" name a part.
    """
    phrase = _ARTICLE.sub("", phrase.strip())
    by = _BY.match(phrase)
    if by:
        return by.group(1), f"{by.group(2)} of the {by.group(1)}"
    whole = whole_of(phrase)
    return (whole, phrase) if whole else (phrase, None)
