"""Numbers with commas between them, as an option's text."""

from robodistill.errors import BadInput


def numbers(text: str, option: str, form: str) -> tuple[float, ...]:
    """As many as `form` ("u,v") names, or, where it ends in brackets ("x,y,z[,rx,ry,rz]"), either count.

    Raises:
        BadInput: Others.
    """
    least, _, more = form.partition("[")
    counts = {least.count(",") + 1, (least + more).count(",") + 1}
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in counts or not all(abs(value) < float("inf") for value in values):
        raise BadInput(f"{option} {text!r}: {form} is needed, numbers with commas between them")
    return values
