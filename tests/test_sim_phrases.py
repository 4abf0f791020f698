"""Phrases that name one thing, and phrases that name nothing."""

from robodistill.sim.phrases import Named, absent_phrases, unique_phrases

CATEGORIES = ("mug", "bowl", "ball", "hammer", "box", "chest", "pen")


def scene() -> list[Named]:
    return [
        Named(1, "mug", "red", {"body": 1, "handle": 2}),
        Named(2, "mug", "blue", {"body": 3, "handle": 4}),
        Named(3, "ball", "red", {"body": 5, "stripes": 6}),
        Named(4, "chest", "green", {"body": 7, "lid": 8}),
    ]


def test_a_word_that_fits_two_things_is_no_phrase():
    """Of two mugs, only the coloured ones are named; the ball is named alone."""
    names = {p.phrase: p.object for p in unique_phrases(scene()) if p.part is None}
    assert names == {"red mug": 1, "blue mug": 2, "red ball": 3, "ball": 3, "green chest": 4, "chest": 4}


def test_parts_are_named_through_their_object():
    """ "handle of the red mug" gives the part's id; a body is not asked for."""
    parts = {p.phrase: (p.object, p.part) for p in unique_phrases(scene()) if p.part is not None}
    assert parts["handle of the red mug"] == (1, 2)
    assert parts["handle of the blue mug"] == (2, 4)
    assert parts["lid of the chest"] == (4, 8)
    assert "handle of the mug" not in parts
    assert not any(phrase.startswith("body") for phrase in parts)


def test_colors_that_may_be_confused_do_not_tell_things_apart():
    """A red and an orange mug have no phrase of their own."""
    pair = [Named(1, "mug", "red", {"body": 1}), Named(2, "mug", "orange", {"body": 2})]
    assert unique_phrases(pair) == []


def test_a_general_word_is_not_asked_for_beside_its_special_case():
    """ "box" may mean the chest beside it, so only "red box" is left."""
    pair = [Named(1, "box", "red", {"body": 1}), Named(2, "chest", "green", {"body": 2})]
    assert [p.phrase for p in unique_phrases(pair)] == ["red box", "green chest", "chest"]


def test_absent_phrases_name_nothing():
    """Absent are categories unlike all that is there, and present ones in colours unlike all that they come in."""
    absent = absent_phrases(scene(), CATEGORIES)
    assert "hammer" in absent and "pen" in absent
    assert "mug" not in absent and "ball" not in absent
    assert "box" not in absent and "bowl" not in absent  # a chest is a box, a bowl is much like a mug
    assert "yellow mug" in absent and "green ball" in absent
    assert "red mug" not in absent
    assert "pink mug" not in absent and "turquoise mug" not in absent  # close to red and to blue
    assert len(absent) == len(set(absent))
